"""Deadlines that can't be met are told before they are missed, and none that could be."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagrank.triage.outlook import DueCases, foresee_deadlines, measure_pace

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def due(*hours_and_cases: tuple[float, int]) -> list[DueCases]:
    return [DueCases(NOW + timedelta(hours=hours), n) for hours, n in hours_and_cases]


DUE = st.lists(st.tuples(st.integers(-5, 20), st.integers(1, 30)), max_size=12).map(lambda rows: due(*rows))


def count_lost(order: tuple[int, ...], per_hour: float) -> int:
    """How many of these cases, each due after so many hours, are late in this order."""
    return sum((place + 1) / per_hour > hours for place, hours in enumerate(order))


@given(st.lists(st.integers(1, 6), max_size=6), st.sampled_from([0.5, 1, 2]))
def test_no_order_at_all_loses_fewer(hours: list[int], per_hour: float) -> None:
    told = foresee_deadlines(due(*((one, 1) for one in hours)), NOW, per_hour)
    assert told.n_lost == min(count_lost(order, per_hour) for order in permutations(hours))


@given(DUE, st.floats(0, 50))
def test_every_case_is_kept_lost_or_over(cases: list[DueCases], per_hour: float) -> None:
    told = foresee_deadlines(cases, NOW, per_hour)
    assert told.n_over == sum(one.n_cases for one in cases if one.due_at <= NOW)
    assert 0 <= told.n_lost <= sum(one.n_cases for one in cases) - told.n_over
    assert (told.first_lost_at is None) == (told.n_lost == 0)


@given(DUE)
def test_a_faster_pace_loses_no_more(cases: list[DueCases]) -> None:
    lost = [foresee_deadlines(cases, NOW, per_hour).n_lost for per_hour in (0, 0.5, 1, 3, 10, 1_000)]
    assert all(more >= fewer for more, fewer in pairwise(lost))


def test_without_any_decision_all_deadlines_are_lost_from_the_first_on() -> None:
    told = foresee_deadlines(due((3, 2), (1, 4)), NOW, 0)
    assert (told.n_lost, told.first_lost_at) == (6, NOW + timedelta(hours=1))


def test_the_first_that_is_lost_is_where_there_is_no_room() -> None:
    told = foresee_deadlines(due((1, 10), (2, 15), (8, 60)), NOW, 10)
    assert (told.n_lost, told.first_lost_at) == (5, NOW + timedelta(hours=2))


@pytest.mark.parametrize(
    ("n_decided", "hours", "per_hour"), [(0, None, 0), (240, 24, 10), (30, 0.1, 30), (30, 2, 15)]
)
def test_a_pace_is_by_the_hour_since_the_first_decision(
    n_decided: int, hours: float | None, per_hour: float
) -> None:
    since = None if hours is None else NOW - timedelta(hours=hours)
    assert measure_pace(n_decided, since, NOW) == pytest.approx(per_hour)
