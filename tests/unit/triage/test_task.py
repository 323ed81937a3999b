import random
import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagrank.triage.errors import InvalidCursor
from flagrank.triage.identifiers import unpack_identifier
from flagrank.triage.task import (
    LONGEST_RETRY_SECONDS,
    ClaimLimit,
    Cursor,
    GroupMember,
    TaskStatus,
    cut_group,
    decode_cursor,
    derive_pending_status,
    encode_cursor,
    halve_group,
    is_exhausted,
    retry_delay,
)

NOW = datetime(2027, 1, 5, 10, tzinfo=UTC)
TASK_ID = "01a210d3-e6a3-7226-bde5-6e90e338d5b2"

identifiers = st.binary(min_size=16, max_size=16).map(unpack_identifier)
times = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 - bounds
members = st.lists(
    st.builds(GroupMember, st.integers(1, 10_000), st.none() | st.integers(1, 300)), max_size=40
)


def test_three_statuses_are_final() -> None:
    assert [status for status in TaskStatus if status.is_final] == ["succeeded", "failed", "cancelled"]


@pytest.mark.parametrize(
    ("seconds", "status"),
    [
        (-1, TaskStatus.QUEUED),
        (0, TaskStatus.QUEUED),
        (1e-6, TaskStatus.SCHEDULED),
        (99, TaskStatus.SCHEDULED),
    ],
)
def test_a_pending_task_is_queued_from_the_moment_it_is_due(seconds: float, status: TaskStatus) -> None:
    assert derive_pending_status(NOW + timedelta(seconds=seconds), NOW) is status


def test_a_lost_group_is_halved_until_each_is_alone() -> None:
    sizes = [100]
    while sizes[-1] > 1:
        sizes.append(halve_group(sizes[-1]))
    assert sizes == [100, 50, 25, 12, 6, 3, 1]
    assert halve_group(1) == 1


@pytest.mark.parametrize(
    ("candidates", "limit", "taken"),
    [
        ([], (5, 5), 0),
        ([(1, None)] * 9, (5, 100), 5),
        ([(1, None)] * 3, (5, 100), 3),
        ([(3, None), (3, None), (3, None)], (5, 6), 2),
        ([(3, None), (3, None), (3, None)], (5, 5), 1),
        ([(99, None), (1, None)], (5, 5), 1),
        ([(1, 1), (1, None)], (5, 5), 1),
        ([(1, None), (1, 1)], (5, 5), 1),
        ([(1, 2), (1, 3), (1, 3)], (5, 5), 2),
        ([(1, 3), (1, 3), (1, 2)], (5, 5), 2),
        ([(1, 3), (1, 3), (1, 3), (1, 3)], (5, 5), 3),
    ],
)
def test_a_group_ends_where_its_limits_say(
    candidates: list[tuple[int, int | None]], limit: tuple[int, int], taken: int
) -> None:
    assert cut_group([GroupMember(*candidate) for candidate in candidates], ClaimLimit(*limit)) == taken


@given(members, st.integers(1, 50), st.integers(1, 20_000))
def test_a_group_is_the_longest_that_every_member_allows(
    candidates: list[GroupMember], tasks: int, reports: int
) -> None:
    def is_allowed(size: int) -> bool:
        group = candidates[:size]
        bounds = [one.most_together for one in group if one.most_together is not None]
        return size <= min([tasks, *bounds]) and (size == 1 or sum(one.n_reports for one in group) <= reports)

    taken = cut_group(candidates, ClaimLimit(tasks, reports))
    assert taken == next((size for size in range(len(candidates), 0, -1) if is_allowed(size)), 0)


def test_delays_double_up_to_a_limit_with_half_of_each_left_to_chance() -> None:
    chance = random.Random(7)  # noqa: S311 - no secret
    for failed_attempts in range(1, 2_000):
        longest = min(LONGEST_RETRY_SECONDS, 2.0 ** min(failed_attempts - 1, 60))
        assert longest / 2 <= retry_delay(failed_attempts, chance=chance) <= longest


def test_tasks_that_failed_together_come_back_apart() -> None:
    assert len({retry_delay(3) for _ in range(100)}) > 90


@pytest.mark.parametrize(
    ("failed", "most", "expected"), [(0, 1, False), (1, 1, True), (4, 5, False), (6, 5, True)]
)
def test_a_task_has_so_many_attempts(failed: int, most: int, *, expected: bool) -> None:
    assert is_exhausted(failed, most) is expected


@given(times, identifiers)
def test_a_cursor_comes_back_from_its_word(time: datetime, task_id: str) -> None:
    word = encode_cursor(Cursor(time, task_id))
    assert re.fullmatch(r"[A-Za-z0-9_-]{32}", word)
    assert decode_cursor(word) == Cursor(time, task_id)


@given(
    st.text(max_size=40)
    | st.from_regex(r"[A-Za-z0-9_-]{32}", fullmatch=True)
    | st.binary(max_size=40).map(repr)
)
def test_any_other_word_is_refused_or_is_a_cursor(word: str) -> None:
    try:
        cursor = decode_cursor(word)
    except InvalidCursor:
        return
    assert encode_cursor(cursor) == word


@pytest.mark.parametrize("change", ["{}=", "{}\n", " {}", "{}A", "é{}"])
def test_a_changed_cursor_is_refused(change: str) -> None:
    with pytest.raises(InvalidCursor):
        decode_cursor(change.format(encode_cursor(Cursor(NOW, TASK_ID))))
