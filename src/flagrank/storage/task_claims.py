"""The worker's side of tasks: claim, hold, and write what came of it."""

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, bindparam, select, update

from flagrank.storage.case_intake import CaseIntake, CaseMoved
from flagrank.storage.dialect import Among, read_clock, update_rows
from flagrank.storage.engine import Database, Transaction
from flagrank.storage.tables import State, task, task_reports
from flagrank.storage.task_counts import choose_slot, count_final
from flagrank.storage.task_rows import challenger_columns, pack_numbers
from flagrank.storage.task_scan import (
    FULL_SCAN_SECONDS,
    SELECT_DUE,
    SELECT_EARLIEST,
    SELECT_LOST,
    TaskScan,
)
from flagrank.triage.errors import StoreUnavailable
from flagrank.triage.policy import Policy
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

_MOST_MOVES = 10  # of cases, while a batch of reports is taken in

_TAKE = (
    update(task)
    .where(Among(task.c.task_id, "group"))
    .values(
        state=int(State.RUNNING),
        lease_no=task.c.lease_no + 1,
        lease_until=bindparam("until"),
        started_at=bindparam("began_at"),
        attempts=task.c.attempts + 1,
        group_size=bindparam("together"),
    )
    .returning(
        task.c.task_id,
        task.c.lease_no,
        task.c.n_reports,
        task.c.enqueue,
        task.c.submitted_at,
        task.c.attempts,
        task.c.failed_attempts,
    )
)
_SELECT_REPORTS = select(task_reports.c.task_id, task_reports.c.reports).where(
    Among(task_reports.c.task_id, "group")
)
_LOCK_HELD = (
    # By their ids alone: of further conditions the planner might think that one of them is the shorter way.
    select(task.c.task_id, task.c.state, task.c.lease_no, task.c.lease_until, task.c.failed_attempts)
    .where(Among(task.c.task_id, "leased"))
    .order_by(task.c.task_id)  # always in one order, so that no two transactions wait for each other
    .with_for_update()
)


class StoredTaskClaims:
    """The port `TaskClaims` on a database, for one worker."""

    def __init__(
        self,
        database: Database,
        find_policy: Callable[[], Policy],
        *,
        full_scan_seconds: float = FULL_SCAN_SECONDS,
    ) -> None:
        """`find_policy` gives the policy in force, which ranks the cases that reports enter."""
        self._database = database
        self._find_policy = find_policy
        self._intake = CaseIntake()
        self._slot = choose_slot()
        self._scan = TaskScan(full_scan_seconds)

    def claim(self, limit: ClaimLimit, lease_seconds: float) -> list[ClaimedTask]:
        """See the port."""
        with self._database.write() as transaction:
            connection, now = transaction
            where = {**self._scan.begin(now), "most": limit.tasks}
            lost = connection.execute(SELECT_LOST, where).all()
            if lost:
                members = [GroupMember(row.n_reports, halve_group(row.group_size)) for row in lost]
                group = lost[: cut_group(members, limit)]
                return _take(transaction, group, lease_seconds, was_lost=True)
            due = connection.execute(SELECT_DUE, where).all()
            members = [GroupMember(row.n_reports, row.group_size or None) for row in due]
            group = due[: cut_group(members, limit)]
            claimed = _take(transaction, group, lease_seconds, was_lost=False)
        self._scan.advance(due, taken=len(group), limit=limit.tasks, now=now)
        return claimed

    def seconds_until_due(self) -> float | None:
        """See the port."""
        with self._database.read() as connection:
            now = read_clock(connection)
            times = connection.scalars(SELECT_EARLIEST, self._scan.resume(now)).all()
        return max(0.0, (min(times) - now).total_seconds()) if times else None

    def extend(self, leases: Sequence[Lease], lease_seconds: float) -> set[str]:
        """See the port."""
        with self._database.write() as transaction:
            until = transaction.now + timedelta(seconds=lease_seconds)
            return _change_held(transaction, leases, {"lease_until": until})

    def complete(self, completions: Sequence[Completion]) -> set[str]:
        """See the port."""
        for _ in range(_MOST_MOVES):
            with suppress(CaseMoved):
                return self._complete(completions)
        raise StoreUnavailable("The cases of these reports keep changing. The write is tried again.")

    def _complete(self, completions: Sequence[Completion]) -> set[str]:
        with self._database.write() as transaction:
            connection, now = transaction
            held = _lock_held(connection, [completion.lease for completion in completions], now)
            rows = [
                {
                    "task_id": completion.lease.task_id,
                    "model_name": completion.model.name,
                    "model_version": completion.model.version,
                    "scores": pack_numbers(completion.scores),
                    "priorities": pack_numbers(completion.priorities),
                    **challenger_columns(completion.challenger),
                }
                for completion in completions
                if completion.lease.task_id in held
            ]
            written = {
                "state": int(State.SUCCEEDED),
                "finished_at": now,
                "lease_until": None,
                "error": None,
            }
            if rows:
                update_rows(connection, task, rows, written)
                count_final(connection, self._slot, {State.SUCCEEDED: len(rows)})
            arrivals = [one for done in completions if done.lease.task_id in held for one in done.arrivals]
            if arrivals:
                self._intake.take_in(transaction, arrivals, self._find_policy())
        return set(held)

    def fail(self, failures: Sequence[Failure]) -> set[str]:
        """See the port."""
        with self._database.write() as (connection, now):
            held = _lock_held(connection, [failure.lease for failure in failures], now)
            rows = [
                _failed_row(failure, held[failure.lease.task_id], now)
                for failure in failures
                if failure.lease.task_id in held
            ]
            if rows:
                update_rows(connection, task, rows, {"lease_until": None})
                failed = sum(row["state"] == State.FAILED for row in rows)
                count_final(connection, self._slot, {State.FAILED: failed})
        return set(held)

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
    transaction: Transaction, group: Sequence[Row[*tuple[Any, ...]]], lease_seconds: float, *, was_lost: bool
) -> list[ClaimedTask]:
    """Lease the tasks of a group, whose rows are locked; in the order of the group."""
    if not group:
        return []
    is_suspect = len(group) == 1 and group[0].group_size == 1  # it was alone before, when a process died
    ids = [row.task_id for row in group]
    rows = transaction.connection.execute(
        _TAKE,
        {
            "group": ids,
            "until": transaction.now + timedelta(seconds=lease_seconds),
            "began_at": transaction.now,
            # Lost for the first time, one that was alone is no suspect yet: most losses mean nothing.
            "together": len(ids) if was_lost or is_suspect else max(2, len(ids)),
        },
    ).all()
    reports = {
        row.task_id: row.reports for row in transaction.connection.execute(_SELECT_REPORTS, {"group": ids})
    }
    claimed = {
        row.task_id: ClaimedTask(
            lease=Lease(row.task_id, row.lease_no),
            reports=reports[row.task_id],
            n_reports=row.n_reports,
            enqueue=row.enqueue,
            submitted_at=row.submitted_at,
            attempts=row.attempts,
            failed_attempts=row.failed_attempts,
            is_suspect=is_suspect,
        )
        for row in rows
    }
    return [claimed[task_id] for task_id in ids]


def _lock_held(connection: Connection, leases: Collection[Lease], now: datetime) -> dict[str, int]:
    """The failed attempts of those that are still held, by id; their rows are locked."""
    numbers = {lease.task_id: lease.lease_no for lease in leases}
    rows = connection.execute(_LOCK_HELD, {"leased": list(numbers)})
    return {
        row.task_id: row.failed_attempts
        for row in rows
        if row.state == State.RUNNING and row.lease_no == numbers[row.task_id] and row.lease_until > now
    }


def _change_held(transaction: Transaction, leases: Sequence[Lease], values: dict[str, Any]) -> set[str]:
    held = set(_lock_held(transaction.connection, leases, transaction.now))
    if held:
        transaction.connection.execute(update(task).where(task.c.task_id.in_(held)).values(values))
    return held


def _failed_row(failure: Failure, failed_attempts: int, now: datetime) -> dict[str, Any]:
    """Failed for good, or pending again; the group it ran in bounds the next one after a death only."""
    is_final = failure.retry_seconds is None
    return {
        "task_id": failure.lease.task_id,
        "state": int(State.FAILED if is_final else State.PENDING),
        "due_at": now + timedelta(seconds=failure.retry_seconds or 0),
        "finished_at": now if is_final else None,
        "failed_attempts": failed_attempts + 1,
        "group_size": int(failure.is_death),
        "error": msgspec.json.encode(failure.error),
    }
