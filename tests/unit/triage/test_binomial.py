"""Intervals of a share: they hold, at any number of draws."""

from collections.abc import Iterable
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagrank.triage.binomial import CONFIDENCE, bound_share

DRAWS = st.floats(1, 1e6)
SHARES = st.floats(0, 1)


def chance_of(hits: Iterable[int], n_draws: int, share: float) -> float:
    """That one of these numbers of draws hits."""
    return sum(comb(n_draws, n) * share**n * (1 - share) ** (n_draws - n) for n in hits)


@pytest.mark.parametrize("n_draws", [1, 2, 5, 12, 40])
@pytest.mark.parametrize("share", [0.002, 0.05, 0.093, 0.3, 0.5, 0.77, 0.99])
def test_the_true_share_lies_inside_at_least_95_times_in_a_hundred(n_draws: int, share: float) -> None:
    held = 0.0
    for hits in range(n_draws + 1):
        low, high = bound_share(hits / n_draws, n_draws)
        if low <= share <= high:
            held += chance_of([hits], n_draws, share)
    assert held >= CONFIDENCE


@given(st.integers(1, 200), st.data())
def test_past_an_end_so_many_hits_or_so_few_are_a_case_of_2_5_in_a_hundred(
    n_draws: int, data: st.DataObject
) -> None:
    hits = data.draw(st.integers(0, n_draws))
    low, high = bound_share(hits / n_draws, n_draws)
    if hits > 0:
        assert chance_of(range(hits, n_draws + 1), n_draws, low) == pytest.approx(0.025, abs=1e-4)
    if hits < n_draws:
        assert chance_of(range(hits + 1), n_draws, high) == pytest.approx(0.025, abs=1e-4)


@given(st.integers(1, 100_000), st.floats(0, 1), st.floats(0, 1))
def test_a_fraction_of_a_draw_tells_something_between(n_draws: int, share: float, fraction: float) -> None:
    low, high = bound_share(share, n_draws + fraction)
    (wide_low, wide_high), (close_low, close_high) = (bound_share(share, n) for n in (n_draws, n_draws + 1))
    assert wide_low - 2e-6 <= low <= close_low + 2e-6
    assert close_high - 2e-6 <= high <= wide_high + 2e-6


@given(SHARES, DRAWS)
def test_an_interval_holds_its_share_and_stays_within_0_and_1(share: float, n_draws: float) -> None:
    low, high = bound_share(share, n_draws)
    assert 0 <= low <= share + 1e-6
    assert share - 1e-6 <= high <= 1


@given(SHARES, st.floats(1, 1e4))
def test_more_draws_tell_more(share: float, n_draws: float) -> None:
    low, high = bound_share(share, n_draws)
    closer_low, closer_high = bound_share(share, 4 * n_draws)
    assert closer_high - closer_low <= high - low


@pytest.mark.parametrize("n_draws", [1, 20, 3_000])
def test_what_never_happened_is_not_impossible(n_draws: int) -> None:
    low, high = bound_share(0.0, n_draws)
    assert low == 0
    assert high == pytest.approx(1 - 0.025 ** (1 / n_draws), abs=2e-6)
