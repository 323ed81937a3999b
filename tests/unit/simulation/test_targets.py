from itertools import pairwise

import numpy as np
import pytest

from flagrank.simulation.reasons import REASONS
from flagrank.simulation.targets import BAD_SHARE, Repute, Targets, draw_targets
from flagrank.simulation.truth import MISSED_BAD, PUNISHED_INNOCENT
from tests.histories import write_history

DAYS = 7.0


@pytest.fixture(scope="module")
def drawn() -> tuple[Targets, Repute]:
    return draw_targets(np.random.default_rng(5), 200_000, DAYS)


@pytest.fixture(scope="module")
def targets(drawn: tuple[Targets, Repute]) -> Targets:
    return drawn[0]


def test_a_known_share_is_bad_and_only_they_do_harm(targets: Targets) -> None:
    assert targets.is_bad.mean() == pytest.approx(BAD_SHARE, rel=0.05)
    assert (targets.harm_per_view[targets.is_bad] > 0).all()
    assert (targets.harm_per_view[~targets.is_bad] == 0).all()


def test_every_category_is_a_reason_that_can_be_stated(drawn: tuple[Targets, Repute]) -> None:
    assert set(np.unique(drawn[1].category)) == set(range(len(REASONS) - 1))


def test_exposure_decays_to_nothing_and_never_rises(targets: Targets) -> None:
    everyone = np.arange(len(targets))
    ahead = [
        targets.views_ahead(everyone, targets.visible_at + targets.life_hours * lives)
        for lives in (-1.0, 0.0, 0.5, 1.0, 2.0, 60.0)
    ]
    assert all((later <= earlier + 1e-9).all() for earlier, later in pairwise(ahead))
    assert ahead[0] == pytest.approx(targets.views + targets.burst_views)
    assert ahead[-1].max() < 1e-6 * ahead[0].max()


def test_half_of_the_views_are_left_after_a_half_life() -> None:
    targets = write_history([(0, 0, 1.0)], is_bad=[True]).targets
    first = np.zeros(1, dtype=np.intp)
    assert targets.views_ahead(first, np.array([10.0])) == pytest.approx(50)
    assert targets.harm_ahead(first, np.array([20.0])) == pytest.approx(25)


def test_nobody_foresees_a_second_wave(targets: Targets) -> None:
    bursting = np.flatnonzero(np.isfinite(targets.burst_at))
    assert 0.02 < len(bursting) / len(targets) < 0.04
    before, after = targets.burst_at[bursting] - 0.01, targets.burst_at[bursting] + 1e-9
    hidden = targets.views_ahead(bursting, before) - targets.foreseen_views(bursting, before)
    assert hidden == pytest.approx(targets.burst_views[bursting])
    assert targets.views_ahead(bursting, after) == pytest.approx(targets.foreseen_views(bursting, after))


def test_bad_ones_come_in_raids_too(targets: Targets) -> None:
    per_hour = np.bincount(targets.visible_at[targets.is_bad].astype(int), minlength=int(24 * DAYS))
    innocents = np.bincount(targets.visible_at[~targets.is_bad].astype(int), minlength=int(24 * DAYS))
    assert per_hour.max() / np.median(per_hour) > 2 * innocents.max() / np.median(innocents)


def test_what_is_bad_is_reported_more_readily_and_some_innocents_are_too(
    drawn: tuple[Targets, Repute],
) -> None:
    targets, repute = drawn
    bad, good = repute.report_chance[targets.is_bad], repute.report_chance[~targets.is_bad]
    assert np.median(bad) > 20 * np.median(good)
    assert good.max() > np.median(bad)


def test_moderators_err_on_both_sides_now_and_then(targets: Targets) -> None:
    errs = targets.looks_bad != targets.is_bad
    assert errs[targets.is_bad].mean() == pytest.approx(MISSED_BAD, abs=0.01)
    assert errs[~targets.is_bad].mean() == pytest.approx(PUNISHED_INNOCENT, abs=0.001)


def test_guilt_does_not_depend_on_reach(targets: Targets) -> None:
    loud = targets.views > np.quantile(targets.views, 0.9)
    assert targets.is_bad[loud].mean() == pytest.approx(targets.is_bad.mean(), rel=0.15)
