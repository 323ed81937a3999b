"""Millions of finished tasks, made by the database itself from one that it has."""

import sqlite3
import time
from contextlib import closing
from uuid import UUID

import psycopg
from psycopg import sql

from benchmarks.task_databases import TaskDatabase
from benchmarks.task_store import opened_store, pass_tasks
from flagrank.storage.tables import State, task, task_count, task_reports
from flagrank.triage.identifiers import pack_identifier

BODY = b'[{"report_id":"1","abuse_type":"MSG","report_text_len":120,"profile_rating":3.5,"popularity":2}]'
SPREAD_MILLISECONDS = 10  # between one task and the next: ten million are a little over a day
_CHANGED = {"task_id", "due_at", "submitted_at", "started_at", "finished_at"}
_KEPT = [column.name for column in task.columns if column.name not in _CHANGED]


def add_finished(database: TaskDatabase, tasks: int) -> None:
    """Add so many tasks that have succeeded, the newest a moment ago, their reports, and count them."""
    with opened_store(database.url) as store:
        pass_tasks(store, BODY, group=1, seconds=0.01)  # one at least: the pattern of all others
    first = time.time_ns() // 1_000_000 - tasks * SPREAD_MILLISECONDS
    if database.url.startswith("sqlite"):
        _fill_sqlite(database.url.removeprefix("sqlite:///"), tasks, first)
    else:
        _fill_postgresql(database.url, tasks, first)


def _fill_postgresql(url: str, tasks: int, first: int) -> None:
    kept = sql.SQL(", ").join(map(sql.Identifier, _KEPT))
    statements = [
        sql.SQL(
            "CREATE TEMPORARY TABLE made AS SELECT "
            "(lpad(to_hex({first} + n * {spread}), 12, '0') || '70008000' || lpad(to_hex(n), 12, '0'))::uuid "
            "AS id, to_timestamp(({first} + n * {spread}) / 1000.0) AS at "
            "FROM generate_series(1, {tasks}) AS n"
        ),
        sql.SQL(
            "INSERT INTO task (task_id, due_at, submitted_at, started_at, finished_at, {kept}) "
            "SELECT id, at, at, at, at, {kept} FROM (SELECT * FROM task LIMIT 1) AS pattern CROSS JOIN made"
        ),
        sql.SQL(
            "INSERT INTO task_reports (task_id, reports) "
            "SELECT id, reports FROM (SELECT * FROM task_reports LIMIT 1) AS pattern CROSS JOIN made"
        ),
        sql.SQL(
            "INSERT INTO task_count (slot, state, n) VALUES (-1, {succeeded}, {tasks}) "
            "ON CONFLICT (slot, state) DO UPDATE SET n = task_count.n + {tasks}"
        ),
    ]
    values = {
        "kept": kept,
        "first": sql.Literal(first),
        "spread": sql.Literal(SPREAD_MILLISECONDS),
        "tasks": sql.Literal(tasks),
        "succeeded": sql.Literal(int(State.SUCCEEDED)),
    }
    with psycopg.connect(url) as connection:
        for statement in statements:
            connection.execute(statement.format(**values))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE)")
        connection.execute("CHECKPOINT")


def _fill_sqlite(file: str, tasks: int, first: int) -> None:
    def make_id(number: int) -> bytes:
        milliseconds = first + number * SPREAD_MILLISECONDS
        return pack_identifier(str(UUID(int=milliseconds << 80 | 7 << 76 | 8 << 60 | number)))

    kept = ", ".join(f"pattern.{name}" for name in _KEPT)
    made = (
        "WITH RECURSIVE made(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM made WHERE n < ?), "
        "timed AS (SELECT n, (? + n * ?) * 1000 AS at FROM made) "
    )
    values = (tasks, first, SPREAD_MILLISECONDS)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.create_function("make_id", 1, make_id, deterministic=True)
        connection.execute(
            f"INSERT INTO {task.name} (task_id, due_at, submitted_at, started_at, finished_at, "  # noqa: S608 - our own names
            f"{', '.join(_KEPT)}) {made} SELECT make_id(n), at, at, at, at, {kept} "
            f"FROM (SELECT * FROM {task.name} LIMIT 1) AS pattern CROSS JOIN timed",
            values,
        )
        connection.execute(
            f"INSERT INTO {task_reports.name} (task_id, reports) {made} SELECT make_id(n), reports "  # noqa: S608 - the same
            f"FROM (SELECT * FROM {task_reports.name} LIMIT 1) AS pattern CROSS JOIN timed",
            values,
        )
        connection.execute(
            f"INSERT INTO {task_count.name} (slot, state, n) VALUES (-1, ?, ?)",  # noqa: S608 - the same
            (int(State.SUCCEEDED), tasks),
        )
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("ANALYZE")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
