"""Where claims look: the queries, and how one avoids passing over what the last one has taken."""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BindParameter, Row, bindparam, literal_column, select, union_all

from flagrank.storage.dialect import Moment
from flagrank.storage.tables import State, is_open_as, task
from flagrank.storage.task_rows import PRIORITY_NUMBERS

FULL_SCAN_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 60.0

_ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)
_SLACK = timedelta(seconds=2)  # longer than a submission takes from reading the clock to its commit
_FULL_SCAN_SHARE = 0.05  # of a worker's time, at most, where passing over the dead takes long
_BUSY = 12  # how many times longer a worker waits with it that has work before it
_NUMBERS = tuple(sorted(PRIORITY_NUMBERS.values()))

_CANDIDATE = (task.c.task_id, task.c.n_reports, task.c.group_size, task.c.priority, task.c.due_at)
_NOW = bindparam("now", type_=Moment)
_MOST: BindParameter[int] = bindparam("most")
_LEASED_FROM = bindparam("leased_from", type_=Moment)
# One range of the index for each priority: in a single one, tasks of a high priority that are scheduled for
# later would be passed over each time.
_RANGES = [
    (
        is_open_as(State.PENDING),
        task.c.priority == literal_column(str(number)),
        task.c.due_at >= bindparam(f"due_from_{number}", type_=Moment),
    )
    for number in _NUMBERS
]

# Running tasks whose lease is over, the longest first.
SELECT_LOST = (
    select(*_CANDIDATE)
    .where(is_open_as(State.RUNNING), task.c.lease_until >= _LEASED_FROM, task.c.lease_until <= _NOW)
    .order_by(task.c.lease_until, task.c.task_id)
    .limit(_MOST)
    .with_for_update(skip_locked=True)
)

# Pending tasks that are due, in the order to claim them; a range is read, and locked, only as far as needed.
SELECT_DUE = union_all(
    *(
        select(
            select(*_CANDIDATE)
            .where(*in_range, task.c.due_at <= _NOW)
            .order_by(task.c.due_at, task.c.task_id)
            .limit(_MOST)
            .with_for_update(skip_locked=True)
            .cte(f"due_{number}")
        )
        for number, in_range in zip(_NUMBERS, _RANGES, strict=True)
    )
).limit(_MOST)

# When the next tasks become due, for each priority, and when the next lease is over.
SELECT_EARLIEST = union_all(
    *(
        select(select(task.c.due_at).where(*in_range).order_by(task.c.due_at).limit(1).subquery())
        for in_range in _RANGES
    ),
    select(
        select(task.c.lease_until)
        .where(is_open_as(State.RUNNING), task.c.lease_until >= _LEASED_FROM)
        .order_by(task.c.lease_until)
        .limit(1)
        .subquery()
    ),
)


class TaskScan:
    """Remembers how far the claims of one worker have come.

    Index entries of claimed tasks stay until vacuum, which one old snapshot holds off: a scan from the
    beginning would pass over all of them, each time. Whatever comes in behind (a task given back, a slow
    commit) is found by a full scan, which there is every few seconds where nothing else is due, and every
    minute where there is.

    Of leases it needs no slack: one that a claim writes ends a whole lease after the claim began.
    """

    def __init__(self, full_scan_seconds: float = FULL_SCAN_SECONDS) -> None:
        self._full_scan_seconds = full_scan_seconds
        self._next_full_scan = time.monotonic()
        self._full_scan_began: float | None = None
        self._is_busy = False
        self._due_from = dict.fromkeys(_NUMBERS, _ALWAYS)
        self._leased_from = _ALWAYS

    def begin(self, now: datetime) -> Mapping[str, object]:
        """The values of the queries that claim: where to look now."""
        began = time.monotonic()
        delay = (_BUSY - 1) * self._full_scan_seconds if self._is_busy else 0.0
        if began < self._next_full_scan + delay:
            self._full_scan_began = None
            return self.resume(now)
        self._full_scan_began = began
        self._next_full_scan = began + self._full_scan_seconds
        return {"now": now, "leased_from": _ALWAYS, **dict.fromkeys(map(_name, _NUMBERS), _ALWAYS)}

    def resume(self, now: datetime) -> Mapping[str, object]:
        """The same, from where the last claim ended."""
        starts = {_name(number): start for number, start in self._due_from.items()}
        return {"now": now, "leased_from": self._leased_from, **starts}

    def advance(
        self, candidates: Sequence[Row[*tuple[Any, ...]]], *, taken: int, limit: int, now: datetime
    ) -> None:
        """Note what a claim that found nothing lost has found due, and how many of the first were taken."""
        self._leased_from = now
        self._is_busy = taken > 0
        if self._full_scan_began is not None:
            took = time.monotonic() - self._full_scan_began
            pause = min(took / _FULL_SCAN_SHARE, LONGEST_PAUSE_SECONDS)
            self._next_full_scan = self._full_scan_began + max(self._full_scan_seconds, pause)
        last = candidates[taken - 1] if taken else None
        is_drained = taken == len(candidates) < limit
        for number in _NUMBERS:
            if is_drained or (last is not None and number < last.priority):
                self._due_from[number] = now - _SLACK
            elif last is not None and number == last.priority:
                self._due_from[number] = last.due_at - _SLACK


def _name(number: int) -> str:
    return f"due_from_{number}"
