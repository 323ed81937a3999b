"""Where claims look: the queries, and how one avoids passing over what the last one has taken."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import CompoundSelect, Row, Select, literal_column, select, union_all

from flagrank.storage.tables import State, is_state, task
from flagrank.storage.task_rows import PRIORITY_NUMBERS

FULL_SCAN_SECONDS = 5.0

_ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)
_SLACK = timedelta(seconds=2)  # longer than a submission takes from reading the clock to its commit
_LOST_SLACK = timedelta(seconds=60)
_NUMBERS = tuple(sorted(PRIORITY_NUMBERS.values()))

_CANDIDATE = (task.c.task_id, task.c.n_reports, task.c.group_size, task.c.priority, task.c.due_at)


class ScanStart(msgspec.Struct, frozen=True):
    """The earliest times a scan looks at: of leases, and of due tasks by priority number."""

    lease_until: datetime
    due_at: tuple[datetime, ...]


class TaskScan:
    """Remembers how far the claims of one worker have come.

    Index entries of claimed tasks stay until vacuum, which one old snapshot holds off: a scan from the beginning
    would pass over all of them, each time. Whatever comes in behind (a task given back, a slow commit) is
    found by a full scan, which there is every few seconds.
    """

    def __init__(self, full_scan_seconds: float = FULL_SCAN_SECONDS) -> None:
        self._full_scan_seconds = full_scan_seconds
        self._next_full_scan = time.monotonic()
        self._due_at = dict.fromkeys(_NUMBERS, _ALWAYS)

    def begin(self, now: datetime) -> ScanStart:
        """Where to look now."""
        if time.monotonic() < self._next_full_scan:
            return ScanStart(now - _LOST_SLACK, tuple(self._due_at.values()))
        self._next_full_scan = time.monotonic() + self._full_scan_seconds
        return ScanStart(_ALWAYS, (_ALWAYS,) * len(_NUMBERS))

    def advance(self, candidates: Sequence[Row[Any]], *, taken: int, limit: int, now: datetime) -> None:
        """Note what a scan of due tasks found, and how many of the first of them were taken."""
        last = candidates[taken - 1] if taken else None
        is_drained = taken == len(candidates) < limit
        for number in _NUMBERS:
            if is_drained or (last is not None and number < last.priority):
                self._due_at[number] = now - _SLACK
            elif last is not None and number == last.priority:
                self._due_at[number] = last.due_at - _SLACK


def select_lost(start: ScanStart, now: datetime, limit: int) -> Select[Any]:
    """Running tasks whose lease is over, the longest first."""
    return (
        select(*_CANDIDATE)
        .where(is_state(State.RUNNING), task.c.lease_until >= start.lease_until, task.c.lease_until <= now)
        .order_by(task.c.lease_until, task.c.task_id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )


def select_due(start: ScanStart, now: datetime, limit: int) -> CompoundSelect[Any]:
    """Pending tasks that are due, in the order to claim them.

    One range of the index for each priority: in a single one, tasks of a high priority that are scheduled for
    later would be passed over each time. The later ranges are read, and locked, only as far as needed.
    """
    ranges = [
        select(*_CANDIDATE)
        .where(
            is_state(State.PENDING),
            task.c.priority == literal_column(str(number)),
            task.c.due_at >= first,
            task.c.due_at <= now,
        )
        .order_by(task.c.due_at, task.c.task_id)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte(f"due_{number}")
        for number, first in zip(_NUMBERS, start.due_at, strict=True)
    ]
    return union_all(*map(select, ranges)).limit(limit)


def select_earliest(start: ScanStart) -> CompoundSelect[Any]:
    """When the next tasks become due, for each priority, and when the next lease is over."""
    ranges = [
        select(task.c.due_at)
        .where(
            is_state(State.PENDING), task.c.priority == literal_column(str(number)), task.c.due_at >= first
        )
        .order_by(task.c.due_at)
        .limit(1)
        for number, first in zip(_NUMBERS, start.due_at, strict=True)
    ]
    leases = (
        select(task.c.lease_until)
        .where(is_state(State.RUNNING), task.c.lease_until >= start.lease_until)
        .order_by(task.c.lease_until)
        .limit(1)
    )
    return union_all(*(select(one.subquery()) for one in (*ranges, leases)))
