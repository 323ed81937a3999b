"""Estimates from the blind slice: weights, what the ranking reached, and what nobody can tell."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagrank.triage.binomial import bound_share
from flagrank.triage.estimates import Floor, SliceCase, estimate_from_slice, estimate_share

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DRAWN = st.lists(st.tuples(st.floats(0.001, 1), st.booleans()), min_size=1, max_size=200)


def case(hours: float, priority: float, *, is_actionable: bool, inclusion: float = 0.05) -> SliceCase:
    return SliceCase(NOON + timedelta(hours=hours), inclusion, priority, is_actionable)


def floor(hours: float, priority: float) -> Floor:
    return Floor(NOON + timedelta(hours=hours), priority)


@given(DRAWN)
def test_an_estimate_lies_in_its_interval_within_0_and_1(drawn: list[tuple[float, bool]]) -> None:
    estimate = estimate_share(drawn)
    assert estimate is not None
    assert 0 <= estimate.low <= estimate.share + 1e-6
    assert estimate.share - 1e-6 <= estimate.high <= 1
    assert estimate.n_cases == len(drawn)


@given(DRAWN, st.randoms(use_true_random=False), st.floats(0.1, 1))
def test_neither_order_nor_one_factor_of_all_probabilities_changes_it(
    drawn: list[tuple[float, bool]], chance: Random, factor: float
) -> None:
    before = estimate_share(drawn)
    moved = [(probability * factor, is_true) for probability, is_true in drawn]
    chance.shuffle(moved)
    after = estimate_share(moved)
    assert before is not None
    assert after is not None
    for name in ("share", "low", "high"):
        assert getattr(after, name) == pytest.approx(getattr(before, name), abs=3e-6)


@given(DRAWN)
def test_unequal_probabilities_tell_less_than_equal_ones(drawn: list[tuple[float, bool]]) -> None:
    estimate = estimate_share(drawn)
    assert estimate is not None
    low, high = bound_share(estimate.share, len(drawn))
    assert estimate.high - estimate.low >= high - low - 3e-6


def test_a_case_that_was_marked_half_as_often_counts_twice() -> None:
    estimate = estimate_share([(0.05, False), (0.025, True)])
    assert estimate is not None
    assert estimate.share == pytest.approx(2 / 3)


def test_nothing_is_told_of_no_case() -> None:
    nothing = estimate_from_slice([], [floor(0, 1.0)])
    assert (nothing.prevalence, nothing.precision, nothing.recall) == (None, None, None)


def test_the_ranking_reached_what_is_no_lower_than_a_lease_after_it_came() -> None:
    cases = [
        case(0, 5.0, is_actionable=True),  # 3.0 was leased after it
        case(0, 2.0, is_actionable=True),  # only 3.0 and more was
        case(2, 3.5, is_actionable=False),  # only 4.0 was
        case(2, 4.0, is_actionable=False),
        case(9, 99.0, is_actionable=True),  # nothing was leased since
    ]
    estimates = estimate_from_slice(cases, [floor(1, 3.0), floor(8, 4.0)])
    assert estimates.prevalence is not None
    assert estimates.precision is not None
    assert estimates.recall is not None
    assert estimates.prevalence.share == pytest.approx(3 / 5)
    assert estimates.precision.share == pytest.approx(1 / 2)
    assert estimates.recall.share == pytest.approx(1 / 3)
    assert (estimates.precision.n_cases, estimates.recall.n_cases) == (2, 3)


def test_where_nothing_was_leased_the_ranking_reached_nothing() -> None:
    estimates = estimate_from_slice([case(0, 5.0, is_actionable=True)], [])
    assert estimates.precision is None
    assert estimates.recall is not None
    assert estimates.recall.share == 0
