"""Deletes tasks that have been final for long enough."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, delete, select

from flagrank.storage.engine import Database
from flagrank.storage.tables import IS_FINAL, State, task, task_reports
from flagrank.storage.task_counts import choose_slot, count_final


class StoredTaskRetention:
    """The port `TaskRetention` on a database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._slot = choose_slot()

    def delete_finished(self, kept_seconds: float, limit: int) -> int:
        """See the port."""
        with self._database.write() as (connection, now):
            rows = connection.execute(select_old(now - timedelta(seconds=kept_seconds), limit)).all()
            if rows:
                old = [row.task_id for row in rows]
                connection.execute(delete(task_reports).where(task_reports.c.task_id.in_(old)))
                connection.execute(delete(task).where(task.c.task_id.in_(old)))
                gone = Counter(State(row.state) for row in rows)
                count_final(connection, self._slot, {state: -n for state, n in gone.items()})
        return len(rows)


def select_old(before: datetime, limit: int) -> Select[*tuple[Any, ...]]:
    """The tasks that ended first, before that time, without those that someone else changes now."""
    return (
        select(task.c.task_id, task.c.state)
        .where(IS_FINAL, task.c.finished_at <= before)
        .order_by(task.c.finished_at, task.c.task_id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
