"""Millions of reports in cases, made by the database itself from some that were taken in as usual."""

import hashlib
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from random import Random
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import Table, create_engine
from sqlalchemy.engine import Engine, make_url

from benchmarks.queue_store import opened_queue
from flagrank.storage.case_tables import decision, lease_log, report, review_case
from flagrank.storage.reporter_tables import reporter_tally
from flagrank.triage.identifiers import pack_identifier

PATTERNS = 128  # cases that all others are made from
REPORTS_A_CASE = 4
OPEN_OF_TEN = 4  # the others are decided
REPORTERS, MODERATORS = 1_000_003, 32
SPREAD_MICROSECONDS = 60 * 86_400 * 1_000_000  # from the first case to the last
_CHUNK = 50_000  # cases a transaction
_SPREAD = 1_000_003  # a prime, so that neighbours are no neighbours by priority, deadline or reporter
_MADE = (
    "WITH RECURSIVE made(n) AS "
    "(SELECT CAST({first} AS bigint) UNION ALL SELECT n + 1 FROM made WHERE n < {last}) "
)
_IS_OPEN = f"made.n % 10 < {OPEN_OF_TEN}"
_MODERATOR = f"'m' || (made.n % {MODERATORS})"
_CHANCE = f"(1 + made.n * 7919 % {_SPREAD}) / {_SPREAD}.0"

# Everything that is written of a case otherwise than its pattern has it.
_CASE: dict[str, str] = {
    "case_id": "made_id(made.n)",
    "join_key": "'reported:p' || made.n",
    "reported_id": "'p' || made.n",
    "status": f"CASE WHEN {_IS_OPEN} THEN 0 ELSE 2 + made.n % 2 END",
    "priority": f"p.priority * {_CHANCE}",
    "first_reported_at": "made_time(made.n)",
    "deadline_at": "made_time(made.n + made.n * 7919 % 100000)",
    "blind": "made.n * 7907 % 100 < 5",
    "lease_no": f"CASE WHEN {_IS_OPEN} THEN 0 ELSE 1 END",
    "decision_no": f"CASE WHEN {_IS_OPEN} THEN 0 ELSE 1 END",
    "decided_at": f"CASE WHEN {_IS_OPEN} THEN NULL ELSE made_time(made.n + 1000) END",
}
_REPORT: dict[str, str] = {
    "report_id": "made_word(made.n, p.voice)",
    "case_id": "made_id(made.n)",
    "reporter_id": f"'u' || ((made.n * {REPORTS_A_CASE} + p.voice) * 7919 % {REPORTERS})",
    "received_at": "made_time(made.n + p.voice)",
    "made_at": "made_time(made.n + p.voice)",
}
_LEASE: dict[str, str] = {
    "case_id": "made_id(made.n)",
    "lease_no": "1",
    "moderator": _MODERATOR,
    "draw": "'priority'",
    "propensity": "0.05",
    "severity": "p.severity",
    "priority": "p.priority",
    "leased_at": "made_time(made.n + 900)",
    "until": "made_time(made.n + 1100)",
    "ended_at": "made_time(made.n + 1000)",
    "was_released": "made.n < 0",
}
_DECISION: dict[str, str] = {
    "case_id": "made_id(made.n)",
    "decision_no": "1",
    "moderator": _MODERATOR,
    "verdict": "CASE WHEN made.n % 2 = 0 THEN 'actioned' ELSE 'dismissed' END",
    "decided_at": "made_time(made.n + 1000)",
    "lease_no": "1",
    "is_counted": "1 = 1",
    "is_due": "1 = 0",
}
_TALLY: dict[str, str] = {
    "reporter_id": "'u' || made.n",
    "reason": "'spam'",
    "decided": "3.0",
    "actioned": "1.0",
    "counted_at": "made_time(made.n)",
    "oldest_at": "made_time(made.n)",
}


def fill(url: str, reports: int) -> int:
    """Fill an empty database with so many reports, the newest a moment ago; how many cases are open."""
    n_cases = reports // REPORTS_A_CASE
    _take_in_patterns(url)
    engine = create_engine(make_url(url.replace("postgresql://", "postgresql+psycopg://")))
    first_microseconds = time.time_ns() // 1_000 - SPREAD_MICROSECONDS
    between = SPREAD_MICROSECONDS // n_cases
    tables = (review_case, report, lease_log, decision, reporter_tally)
    for table in tables:
        _drop_indexes(engine, table)
    if engine.dialect.name == "sqlite":
        _fill_sqlite(url.removeprefix("sqlite:///"), n_cases, (first_microseconds, between))
    else:
        _fill_postgresql(url, n_cases, (first_microseconds, between))
    for table in tables:
        for index in table.indexes:
            index.create(engine)
    _settle(engine)
    engine.dispose()
    return n_cases * OPEN_OF_TEN // 10


def _take_in_patterns(url: str) -> None:
    chance = Random(1)  # noqa: S311 - the same each time
    with opened_queue(url) as queue:
        queue.take_in(
            [
                queue.make_arrival(f"pattern-{number}", chance, age=timedelta(hours=voice))
                for number in range(PATTERNS)
                for voice in range(REPORTS_A_CASE)
            ]
        )


def _drop_indexes(engine: Engine, table: Table) -> None:
    for index in table.indexes:
        index.drop(engine)
    if engine.dialect.name != "sqlite" and table is report:
        with engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE report DROP CONSTRAINT report_pkey")


def _settle(engine: Engine) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            return
        connection.exec_driver_sql("ALTER TABLE report ADD PRIMARY KEY (report_id)")
        connection.exec_driver_sql("VACUUM (ANALYZE)")
        connection.exec_driver_sql("CHECKPOINT")


def _fill_postgresql(url: str, n_cases: int, times: tuple[int, int]) -> None:
    first, between = times  # the microsecond of the first case, and how many lie before the next one
    microseconds = f"({first} + n * {between})"
    hexadecimal = f"lpad(to_hex({microseconds} / 1000), 12, '0') || '70008000' || lpad(to_hex(n), 12, '0')"
    functions = {
        "made_time(n bigint) RETURNS timestamptz": f"to_timestamp({microseconds} / 1000000.0)",
        "made_id(n bigint) RETURNS uuid": f"({hexadecimal})::uuid",
        "made_word(n bigint, voice bigint) RETURNS text": "md5(n || '-' || voice)",
    }
    with psycopg.connect(url, autocommit=True) as connection:
        for head, body in functions.items():
            made = f"CREATE FUNCTION {head} LANGUAGE sql IMMUTABLE AS $$ SELECT {body} $$"
            connection.execute(made.encode())
        _make(lambda statement: connection.execute(statement.encode()), connection.transaction, n_cases)


def _fill_sqlite(file: str, n_cases: int, times: tuple[int, int]) -> None:
    first, between = times

    def made_time(number: int) -> int:
        return first + number * between

    def made_id(number: int) -> bytes:
        return pack_identifier(str(UUID(int=made_time(number) // 1_000 << 80 | 7 << 76 | 8 << 60 | number)))

    def made_word(number: int, voice: int) -> str:
        return hashlib.md5(f"{number}-{voice}".encode(), usedforsecurity=False).hexdigest()

    with closing(sqlite3.connect(file)) as connection:
        for function, arguments in ((made_time, 1), (made_id, 1), (made_word, 2)):
            connection.create_function(function.__name__, arguments, function, deterministic=True)
        _make(connection.execute, lambda: connection, n_cases)


def _make(execute: Callable[[str], Any], begin: Callable[[], Any], n_cases: int) -> None:
    with begin():
        execute(
            "CREATE TEMPORARY TABLE pattern AS SELECT row_number() OVER (ORDER BY case_id) - 1 AS number, * "
            "FROM review_case"
        )
        execute(
            "CREATE TEMPORARY TABLE pattern_report AS SELECT pattern.number, report.*, row_number() OVER "
            "(PARTITION BY report.case_id ORDER BY report_id) - 1 AS voice FROM report "
            "JOIN pattern ON pattern.case_id = report.case_id"
        )
    for first in range(0, n_cases, _CHUNK):
        made = _MADE.format(first=first, last=min(first + _CHUNK, n_cases) - 1)
        with begin():
            execute(_insert(made, review_case, _CASE, "pattern"))
            execute(_insert(made, report, _REPORT, "pattern_report"))
            execute(_insert(made, lease_log, _LEASE, "pattern", f"NOT {_IS_OPEN}"))
            execute(_insert(made, decision, _DECISION, "pattern", f"NOT {_IS_OPEN}"))
            execute(_insert(made, reporter_tally, _TALLY, "pattern", f"made.n < {REPORTERS}"))


def _insert(made: str, table: Table, own: dict[str, str], pattern: str, condition: str = "1 = 1") -> str:
    """What fills a table: columns of its own, or the pattern's where it is a case or a report."""
    is_copy = table in {review_case, report}
    columns = [column.name for column in table.columns if is_copy or column.name in own]
    values = ", ".join(own.get(name, f"p.{name}") for name in columns)
    return (
        f"INSERT INTO {table.name} ({', '.join(columns)}) {made} SELECT {values} FROM made "  # noqa: S608 - our own names
        f"JOIN {pattern} AS p ON p.number = made.n % {PATTERNS} WHERE {condition}"
    )
