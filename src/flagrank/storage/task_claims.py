"""The worker's side of tasks: claim, hold, and write what came of it."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, bindparam, null, select, update

from flagrank.storage.dialect import read_clock
from flagrank.storage.engine import Database, Transaction
from flagrank.storage.tables import State, is_state, task
from flagrank.storage.task_counts import choose_slot, count_final
from flagrank.storage.task_rows import pack_numbers
from flagrank.storage.task_scan import (
    FULL_SCAN_SECONDS,
    TaskScan,
    select_due,
    select_earliest,
    select_lost,
)
from flagrank.triage.task import (
    ClaimedTask,
    ClaimLimit,
    Completion,
    Failure,
    GroupMember,
    Lease,
    cut_group,
    halve_group,
)

_WRITE_RESULT = (
    update(task)
    .where(task.c.task_id == bindparam("written"))
    .values(state=int(State.SUCCEEDED), lease_until=null(), error=null())
)
_WRITE_FAILURE = (
    update(task)
    .where(task.c.task_id == bindparam("written"))
    .values(lease_until=null(), failed_attempts=task.c.failed_attempts + 1, group_size=0)
)


class StoredTaskClaims:
    """The port `TaskClaims` on a database, for one worker."""

    def __init__(self, database: Database, *, full_scan_seconds: float = FULL_SCAN_SECONDS) -> None:
        self._database = database
        self._slot = choose_slot()
        self._scan = TaskScan(full_scan_seconds)

    def claim(self, limit: ClaimLimit, lease_seconds: float) -> list[ClaimedTask]:
        """See the port."""
        with self._database.write() as transaction:
            connection, now = transaction
            start = self._scan.begin(now)
            lost = connection.execute(select_lost(start, now, limit.tasks)).all()
            if lost:
                members = [GroupMember(row.n_reports, halve_group(row.group_size)) for row in lost]
                group = lost[: cut_group(members, limit)]
                return _take(transaction, group, lease_seconds, was_lost=True)
            due = connection.execute(select_due(start, now, limit.tasks)).all()
            members = [GroupMember(row.n_reports, row.group_size or None) for row in due]
            group = due[: cut_group(members, limit)]
            claimed = _take(transaction, group, lease_seconds, was_lost=False)
        self._scan.advance(due, taken=len(group), limit=limit.tasks, now=now)
        return claimed

    def seconds_until_due(self) -> float | None:
        """See the port."""
        with self._database.read() as connection:
            now = read_clock(connection)
            times = connection.scalars(select_earliest(self._scan.begin(now))).all()
        return max(0.0, (min(times) - now).total_seconds()) if times else None

    def extend(self, leases: Sequence[Lease], lease_seconds: float) -> set[str]:
        """See the port."""
        with self._database.write() as transaction:
            until = transaction.now + timedelta(seconds=lease_seconds)
            return _change_held(transaction, leases, {"lease_until": until})

    def complete(self, completions: Sequence[Completion]) -> set[str]:
        """See the port."""
        with self._database.write() as (connection, now):
            held = _lock_held(connection, [completion.lease for completion in completions], now)
            rows = [
                {
                    "written": completion.lease.task_id,
                    "finished_at": now,
                    "model_name": completion.model.name,
                    "model_version": completion.model.version,
                    "scores": pack_numbers(completion.scores),
                    "priorities": pack_numbers(completion.priorities),
                }
                for completion in completions
                if completion.lease.task_id in held
            ]
            if rows:
                connection.execute(_WRITE_RESULT, rows)
                count_final(connection, self._slot, {State.SUCCEEDED: len(rows)})
        return held

    def fail(self, failures: Sequence[Failure]) -> set[str]:
        """See the port."""
        with self._database.write() as (connection, now):
            held = _lock_held(connection, [failure.lease for failure in failures], now)
            written = [failure for failure in failures if failure.lease.task_id in held]
            for_good = [
                {**_failure_row(failure), "state": int(State.FAILED), "finished_at": now}
                for failure in written
                if failure.retry_seconds is None
            ]
            for_now = [
                {
                    **_failure_row(failure),
                    "state": int(State.PENDING),
                    "due_at": now + timedelta(seconds=failure.retry_seconds),
                }
                for failure in written
                if failure.retry_seconds is not None
            ]
            for rows in (for_good, for_now):
                if rows:
                    connection.execute(_WRITE_FAILURE, rows)
            count_final(connection, self._slot, {State.FAILED: len(for_good)})
        return held

    def release(self, leases: Sequence[Lease]) -> set[str]:
        """See the port."""
        given_back = {
            "state": int(State.PENDING),
            "lease_until": None,
            "started_at": None,
            "attempts": task.c.attempts - 1,
        }
        with self._database.write() as transaction:
            return _change_held(transaction, leases, given_back)


def _take(
    transaction: Transaction, group: Sequence[Row[Any]], lease_seconds: float, *, was_lost: bool
) -> list[ClaimedTask]:
    """Lease the tasks of a group, whose rows are locked; in the order of the group."""
    if not group:
        return []
    was_lost_alone = was_lost and group[0].group_size == 1  # then nothing else is in this group
    rows = transaction.connection.execute(
        update(task)
        .where(task.c.task_id.in_([row.task_id for row in group]))
        .values(
            state=int(State.RUNNING),
            lease_no=task.c.lease_no + 1,
            lease_until=transaction.now + timedelta(seconds=lease_seconds),
            started_at=transaction.now,
            attempts=task.c.attempts + 1,
            failed_attempts=task.c.failed_attempts + int(was_lost_alone),
            group_size=len(group),
        )
        .returning(
            task.c.task_id,
            task.c.lease_no,
            task.c.reports,
            task.c.n_reports,
            task.c.enqueue,
            task.c.submitted_at,
            task.c.attempts,
            task.c.failed_attempts,
        )
    )
    claimed = {
        row.task_id: ClaimedTask(
            lease=Lease(row.task_id, row.lease_no),
            reports=row.reports,
            n_reports=row.n_reports,
            enqueue=row.enqueue,
            submitted_at=row.submitted_at,
            attempts=row.attempts,
            failed_attempts=row.failed_attempts,
        )
        for row in rows
    }
    return [claimed[row.task_id] for row in group]


def _lock_held(connection: Connection, leases: Collection[Lease], now: datetime) -> set[str]:
    """The ids of those that are still held; their rows are locked, always in one order."""
    numbers = {lease.task_id: lease.lease_no for lease in leases}
    rows = connection.execute(
        select(task.c.task_id, task.c.lease_no)
        .where(task.c.task_id.in_(numbers), is_state(State.RUNNING), task.c.lease_until > now)
        .order_by(task.c.task_id)
        .with_for_update()
    )
    return {row.task_id for row in rows if row.lease_no == numbers[row.task_id]}


def _change_held(transaction: Transaction, leases: Sequence[Lease], values: dict[str, Any]) -> set[str]:
    held = _lock_held(transaction.connection, leases, transaction.now)
    if held:
        transaction.connection.execute(update(task).where(task.c.task_id.in_(held)).values(values))
    return held


def _failure_row(failure: Failure) -> dict[str, Any]:
    return {"written": failure.lease.task_id, "error": msgspec.json.encode(failure.error)}
