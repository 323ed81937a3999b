import numpy as np
import pytest

from flagrank.simulation.reporters import Reporters, draw_reporters


@pytest.fixture(scope="module")
def reporters() -> Reporters:
    return draw_reporters(np.random.default_rng(2), 20_000, 8)


def test_brigades_are_groups_of_the_sizes_that_are_known(reporters: Reporters) -> None:
    sizes = np.bincount(reporters.brigade[reporters.brigade >= 0])
    assert len(sizes) == 8
    assert sizes.min() >= 30
    assert sizes.max() <= 200
    assert (reporters.brigade < 0).sum() == 20_000


def test_innocents_are_reported_by_the_careless(reporters: Reporters) -> None:
    on_bad = np.arange(100_000) % 2 == 0
    chosen = reporters.choose(np.random.default_rng(3), on_bad)
    of_bad, of_good = (reporters.carelessness[chosen[members]] for members in (on_bad, ~on_bad))
    assert of_bad.mean() == pytest.approx(0, abs=0.1)
    assert of_good.mean() > 0.9


def test_members_of_brigades_do_not_report_by_themselves(reporters: Reporters) -> None:
    chosen = reporters.choose(np.random.default_rng(4), np.zeros(50_000, dtype=np.bool_))
    assert (reporters.brigade[chosen] < 0).all()


def test_a_few_send_most_reports(reporters: Reporters) -> None:
    chosen = reporters.choose(np.random.default_rng(4), np.ones(50_000, dtype=np.bool_))
    counts = np.sort(np.bincount(chosen, minlength=len(reporters)))[::-1]
    assert counts[: len(reporters) // 10].sum() > 0.4 * counts.sum()
