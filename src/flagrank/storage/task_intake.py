"""Takes submissions in: all that wait in one commit, and one by one where the database refuses the group."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, select

from flagrank.storage.dialect import insert_new_rows, insert_rows, notify_listeners
from flagrank.storage.engine import Database
from flagrank.storage.tables import ONE_TASK_A_KEY, task, task_reports
from flagrank.storage.task_rows import TASK_COLUMNS, read_task_row, submitted_row, submitted_task
from flagrank.triage.errors import FlagrankError, IdempotencyConflict, StoreRefused, StoreUnavailable
from flagrank.triage.task import Receipt, Submission, Task

_Owned = tuple[str, str]  # owner and key
_Earlier = tuple[Task, bytes]  # and the fingerprint


class StoredTaskIntake:
    """The port `TaskIntake` on a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def submit(self, submissions: Sequence[Submission]) -> list[Receipt | FlagrankError]:
        """See the port."""
        if not submissions:
            return []
        try:
            receipts = self._submit_together(submissions)
        except StoreRefused as refused:
            if len(submissions) == 1:
                return [refused]
            # The neighbours of the culprit must not suffer from it.
            return [receipt for submission in submissions for receipt in self.submit([submission])]
        with self._database.read() as connection:  # after the commit: inside, it would make commits queue up
            notify_listeners(connection)
        return receipts

    def _submit_together(self, submissions: Sequence[Submission]) -> list[Receipt | FlagrankError]:
        plain = [one for one in submissions if one.idempotency is None]
        # In one order everywhere: who inserts a key waits for whoever inserted it first.
        keyed = sorted((one for one in submissions if one.idempotency is not None), key=_owned)
        with self._database.write() as (connection, now):
            made = _insert(connection, plain, keyed, now)
            earlier = _read_earlier(connection, [one for one in keyed if one.task_id not in made], now)
        return [
            Receipt(submitted_task(one, now), is_new=True)
            if one.task_id in made
            else _answer_again(one, earlier.get(_owned(one)))
            for one in submissions
        ]


def _owned(submission: Submission) -> _Owned:
    key = submission.idempotency
    return (key.owner, key.key) if key else ("", "")


def _insert(
    connection: Connection, plain: Sequence[Submission], keyed: Sequence[Submission], now: datetime
) -> set[str]:
    """The ids of those that became tasks: all without a key, and those whose key was free."""
    made = {one.task_id for one in plain}
    if plain:
        insert_rows(connection, task, [submitted_row(one, now) for one in plain])
    if keyed:
        made |= insert_new_rows(connection, task, [submitted_row(one, now) for one in keyed], ONE_TASK_A_KEY)
    bodies = [
        {"task_id": one.task_id, "reports": one.reports} for one in (*plain, *keyed) if one.task_id in made
    ]
    if bodies:
        insert_rows(connection, task_reports, bodies)
    return made


def _read_earlier(
    connection: Connection, submissions: Sequence[Submission], now: datetime
) -> dict[_Owned, _Earlier]:
    """What stands for the keys of these submissions."""
    if not submissions:
        return {}
    keys = {one.idempotency.key for one in submissions if one.idempotency}
    owners = {one.idempotency.owner for one in submissions if one.idempotency}
    # Not in pairs: SQLite finds no index for those. What belongs to no submission is not asked for later.
    rows = connection.execute(
        select(*TASK_COLUMNS, task.c.owner, task.c.idempotency_key, task.c.fingerprint).where(
            task.c.owner.in_(owners), task.c.idempotency_key.in_(keys)
        )
    )
    return {(row.owner, row.idempotency_key): (read_task_row(row, now), row.fingerprint) for row in rows}


def _answer_again(submission: Submission, earlier: _Earlier | None) -> Receipt | FlagrankError:
    if earlier is None:  # it was deleted just now, its time being over
        return StoreUnavailable("The task of this Idempotency-Key is being deleted. Send the request again.")
    stands, fingerprint = earlier
    if submission.idempotency is None or submission.idempotency.fingerprint != fingerprint:
        return IdempotencyConflict(
            "The Idempotency-Key was sent before with other body or query. Send a new request with a new key."
        )
    return Receipt(stands, is_new=False)
