"""Looks tasks up: one, a page of them, how many there are."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Integer, Select, bindparam, func, literal, literal_column, select, tuple_, union_all
from sqlalchemy.sql.elements import ColumnElement

from flagrank.storage.dialect import Moment, read_clock
from flagrank.storage.engine import Database
from flagrank.storage.tables import (
    FINAL_STATES,
    State,
    is_open_as,
    is_state,
    task,
    task_count,
    task_reports,
)
from flagrank.storage.task_rows import (
    DETAIL_COLUMNS,
    TASK_COLUMNS,
    read_detail_row,
    read_status,
    read_task_row,
)
from flagrank.triage.identifiers import parse_identifier
from flagrank.triage.task import Cursor, TaskCounts, TaskDetail, TaskPage, TaskQuery, TaskStatus

_ALL = frozenset(TaskStatus)
_SELECT_DETAIL = (
    select(*DETAIL_COLUMNS, task_reports.c.reports)
    .join(task_reports, task_reports.c.task_id == task.c.task_id)
    .where(task.c.task_id == bindparam("known"))
)
_SCHEDULED, _QUEUED = -2, -1  # beside states, in the answer to the count
_STATES = {
    TaskStatus.SCHEDULED: State.PENDING,
    TaskStatus.QUEUED: State.PENDING,
    TaskStatus.RUNNING: State.RUNNING,
    TaskStatus.SUCCEEDED: State.SUCCEEDED,
    TaskStatus.FAILED: State.FAILED,
    TaskStatus.CANCELLED: State.CANCELLED,
}


class StoredTaskReading:
    """The port `TaskReading` on a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read_task(self, task_id: str) -> TaskDetail | None:
        """See the port."""
        known = parse_identifier(task_id)
        if known is None:
            return None
        with self._database.read() as connection:
            now = read_clock(connection)
            row = connection.execute(_SELECT_DETAIL, {"known": known}).one_or_none()
        return None if row is None else read_detail_row(row, row.reports, now)

    def list_tasks(self, query: TaskQuery) -> TaskPage:
        """See the port."""
        with self._database.read() as connection:
            now = read_clock(connection)
            rows = connection.execute(select_page(query, now)).all()
        tasks = tuple(read_task_row(row, now) for row in rows[: query.limit])
        if len(rows) <= query.limit:
            return TaskPage(tasks, None)
        return TaskPage(tasks, Cursor(tasks[-1].submitted_at, tasks[-1].task_id))

    def count_tasks(self) -> TaskCounts:
        """See the port."""
        with self._database.read() as connection:
            now = read_clock(connection)
            rows = connection.execute(select_counts(now)).all()
        counts = dict.fromkeys(TaskStatus, 0)
        oldest = now
        for kind, total, oldest_due_at in rows:
            n = int(total)  # PostgreSQL's sum is a decimal
            if kind == _SCHEDULED:
                counts[TaskStatus.SCHEDULED] = n
            elif kind == _QUEUED:
                counts[TaskStatus.QUEUED] = n
                oldest = oldest_due_at or now
            else:
                counts[read_status(State(kind), now, now)] = n
        return TaskCounts(counts, (now - oldest).total_seconds())

    def find_final(self, task_ids: Collection[str]) -> set[str]:
        """See the port."""
        known = {identifier for text in task_ids if (identifier := parse_identifier(text))}
        with self._database.read() as connection:
            rows = connection.execute(select(task.c.task_id, task.c.state).where(task.c.task_id.in_(known)))
            still = {row.task_id for row in rows if row.state not in FINAL_STATES}
        return {text for text in task_ids if parse_identifier(text) not in still}


def select_page(query: TaskQuery, now: datetime) -> Select[*tuple[Any, ...]]:
    """The newest rows that match, one more than the page has.

    Each state is read by itself from the index, newest first, so that none hides behind millions of another.
    """
    statuses = query.statuses or _ALL
    pages = []
    for state in State:
        wanted = {status for status in statuses if _STATES[status] is state}
        if wanted:
            pages.append(_select_newest(query, state, [*_filter(query), *_filter_due(wanted, now)]))
    if len(pages) == 1:
        return pages[0]
    merged = union_all(*(select(page.subquery()) for page in pages)).subquery()
    return (
        select(merged).order_by(merged.c.submitted_at.desc(), merged.c.task_id.desc()).limit(query.limit + 1)
    )


def _select_newest(
    query: TaskQuery, state: State, conditions: Sequence[ColumnElement[bool]]
) -> Select[*tuple[Any, ...]]:
    return (
        select(*TASK_COLUMNS)
        .where(is_state(state), *conditions)
        .order_by(task.c.submitted_at.desc(), task.c.task_id.desc())
        .limit(query.limit + 1)
    )


def _filter(query: TaskQuery) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if query.since is not None:
        conditions.append(task.c.submitted_at >= query.since)
    if query.until is not None:
        conditions.append(task.c.submitted_at < query.until)
    if query.cursor is not None:
        last = tuple_(
            literal(query.cursor.submitted_at, Moment), literal(query.cursor.task_id, task.c.task_id.type)
        )
        conditions.append(tuple_(task.c.submitted_at, task.c.task_id) < last)
    return conditions


def _filter_due(wanted: Collection[TaskStatus], now: datetime) -> list[ColumnElement[bool]]:
    if wanted == {TaskStatus.SCHEDULED}:
        return [task.c.due_at > now]
    if wanted == {TaskStatus.QUEUED}:
        return [task.c.due_at <= now]
    return []


def select_counts(now: datetime) -> Select[*tuple[Any, ...]]:
    """Rows of (state, n, earliest due_at): those that are not final are counted, the others looked up."""
    pending = [
        select(
            literal_column(str(kind), Integer).label("kind"),
            func.count().label("n"),
            func.min(task.c.due_at).label("oldest"),
        ).where(is_open_as(State.PENDING), condition)
        for kind, condition in ((_SCHEDULED, task.c.due_at > now), (_QUEUED, task.c.due_at <= now))
    ]
    running = select(
        literal_column(str(int(State.RUNNING)), Integer), func.count(), literal(None, Moment)
    ).where(is_open_as(State.RUNNING))
    final = select(task_count.c.state, func.sum(task_count.c.n), literal(None, Moment)).group_by(
        task_count.c.state
    )
    every = union_all(*pending, running, final).subquery()
    return select(every.c.kind, every.c.n, every.c.oldest)
