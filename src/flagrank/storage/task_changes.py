"""Cancels and retries tasks."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select, update

from flagrank.storage.engine import Database, Transaction
from flagrank.storage.tables import State, task, task_reports
from flagrank.storage.task_counts import choose_slot, count_final
from flagrank.storage.task_rows import DETAIL_COLUMNS, read_detail_row, read_status
from flagrank.triage.errors import TaskConflict, TaskNotFound
from flagrank.triage.identifiers import parse_identifier
from flagrank.triage.task import TaskDetail


class StoredTaskChanges:
    """The port `TaskChanges` on a database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._slot = choose_slot()

    def cancel(self, task_id: str) -> TaskDetail:
        """See the port."""
        with self._database.write() as transaction:
            values = {"state": int(State.CANCELLED), "finished_at": transaction.now}
            changed = _change(transaction, task_id, State.PENDING, values)
            if changed is None:
                raise _explain(
                    transaction, task_id, "can't be cancelled", "Only scheduled and queued ones can."
                )
            count_final(transaction.connection, self._slot, {State.CANCELLED: 1})
        return changed

    def retry(self, task_id: str) -> TaskDetail:
        """See the port; one that processes died of is still a suspect."""
        with self._database.write() as transaction:
            values = {
                "state": int(State.PENDING),
                "due_at": transaction.now,
                "started_at": None,
                "finished_at": None,
                "attempts": 0,
                "failed_attempts": 0,
                "error": None,
            }
            changed = _change(transaction, task_id, State.FAILED, values)
            if changed is None:
                raise _explain(transaction, task_id, "can't be retried", "Only failed ones can.")
            count_final(transaction.connection, self._slot, {State.FAILED: -1})
        return changed


def _change(
    transaction: Transaction, task_id: str, state: State, values: Mapping[str, Any]
) -> TaskDetail | None:
    """Change the task where it is in this state; None where it is not."""
    known = parse_identifier(task_id)
    if known is None:
        return None
    row = transaction.connection.execute(
        update(task)
        .where(task.c.task_id == known, task.c.state + 0 == int(state))  # no index of states is asked for
        .values(values)
        .returning(*DETAIL_COLUMNS)
    ).one_or_none()
    if row is None:
        return None
    reports = transaction.connection.execute(
        select(task_reports.c.reports).where(task_reports.c.task_id == known)
    ).scalar_one()
    return read_detail_row(row, reports, transaction.now)


def _explain(transaction: Transaction, task_id: str, refusal: str, rule: str) -> TaskNotFound | TaskConflict:
    known = parse_identifier(task_id)
    row = (
        known
        and transaction.connection.execute(
            select(task.c.state, task.c.due_at).where(task.c.task_id == known)
        ).one_or_none()
    )
    if not row:
        return TaskNotFound("No task has this id. Ask GET /task for those that there are.")
    status = read_status(State(row.state), row.due_at, transaction.now)
    return TaskConflict(f"The task is {status} and {refusal}. {rule}")
