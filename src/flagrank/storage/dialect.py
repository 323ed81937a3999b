"""What differs between the two databases, and nothing else does: clock, times, upserts, locks, errors."""

import random
import sqlite3
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import cache
from typing import Any, Self

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    ColumnElement,
    Connection,
    DateTime,
    Dialect,
    Engine,
    FromClause,
    Index,
    Integer,
    LargeBinary,
    Select,
    Table,
    Update,
    Uuid,
    any_,
    bindparam,
    column,
    event,
    func,
    select,
    text,
    update,
    values,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.operators import OperatorType
from sqlalchemy.types import TypeDecorator, TypeEngine

from flagrank.triage.identifiers import pack_identifier, unpack_identifier

Rows = Sequence[Mapping[str, Any]]

LISTEN_CHANNEL = "flagrank_due"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_QUARTER_HOUR = timedelta(minutes=15) // _MICROSECOND
_SQLITE_PRAGMAS = ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON")
# One statement, so that limits for the transaction cost no round trip; local ones pass through a pooler.
_BEGIN_POSTGRESQL = text(
    "SELECT clock_timestamp(), set_config('idle_in_transaction_session_timeout', '60s', true), "
    "set_config('lock_timeout', '10s', true)"
)
_LONGEST_PAUSE_SECONDS = 0.002
# Whatever keeps vacuum from rows that died in this database since; VACUUM itself holds nobody up. Of other
# roles' transactions an ordinary role is not told when they began, unless it has pg_read_all_stats.
_OLDEST_SNAPSHOT = text(
    "SELECT extract(epoch FROM clock_timestamp() - min(began))::float8 FROM ("
    "SELECT xact_start AS began FROM pg_stat_activity "
    "WHERE datname = current_database() AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL) "
    "AND pid NOT IN (SELECT pid FROM pg_stat_progress_vacuum) "
    "UNION ALL SELECT prepared FROM pg_prepared_xacts WHERE database = current_database()) AS held"
)


class Moment(TypeDecorator[datetime]):
    """A time in UTC, to the microsecond: timestamptz, or in SQLite microseconds since 1970."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The column's type in this database."""
        return BigInteger() if dialect.name == "sqlite" else DateTime(timezone=True)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:  # noqa: ANN401 - driver's type
        """What the driver takes."""
        if value is None or dialect.name != "sqlite":
            return value
        return (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ANN401 - the same
        """What the driver gave, in UTC."""
        if value is None:
            return None
        if dialect.name == "sqlite":
            microseconds: int = value
            return _EPOCH + microseconds * _MICROSECOND
        in_utc: datetime = value.astimezone(UTC)
        return in_utc


class Identifier(TypeDecorator[str]):
    """An id as we write it: uuid, or in SQLite 16 bytes."""

    impl = Uuid(as_uuid=False)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The column's type in this database."""
        return LargeBinary(16) if dialect.name == "sqlite" else Uuid(as_uuid=False)

    def process_bind_param(self, value: str | None, dialect: Dialect) -> Any:  # noqa: ANN401 - driver's type
        """What the driver takes."""
        if value is None or dialect.name != "sqlite":
            return value
        return pack_identifier(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ANN401 - the same
        """What the driver gave, as we write it."""
        if value is None or dialect.name != "sqlite":
            return None if value is None else str(value)
        return unpack_identifier(value)


# A number that the database gives to each new row, higher than the last; SQLite numbers only this type.
RowNumber = BigInteger().with_variant(Integer(), "sqlite")


class Fault(Enum):
    """What kind of error a driver raised."""

    REFUSED = "it refuses a value"
    FULL = "its disk is full"
    LOCKED = "another program holds it locked"
    READ_ONLY = "it may not be written to"
    FAILING = "reading or writing its file fails"
    DAMAGED = "its file is damaged, or is no database"
    NO_TABLES = "its tables are missing or of another version"
    UNREACHABLE = "it does not answer"


# SQLite's primary result codes, and PostgreSQL's SQLSTATE codes and classes.
_SQLITE_FAULTS = {
    sqlite3.SQLITE_ERROR: Fault.NO_TABLES,
    sqlite3.SQLITE_BUSY: Fault.LOCKED,
    sqlite3.SQLITE_LOCKED: Fault.LOCKED,
    sqlite3.SQLITE_FULL: Fault.FULL,
    sqlite3.SQLITE_IOERR: Fault.FAILING,
    sqlite3.SQLITE_READONLY: Fault.READ_ONLY,
    sqlite3.SQLITE_CORRUPT: Fault.DAMAGED,
    sqlite3.SQLITE_NOTADB: Fault.DAMAGED,
    sqlite3.SQLITE_CONSTRAINT: Fault.REFUSED,
    sqlite3.SQLITE_MISMATCH: Fault.REFUSED,
    sqlite3.SQLITE_TOOBIG: Fault.REFUSED,
}
_POSTGRESQL_FAULTS = {
    "22": Fault.REFUSED,
    "23": Fault.REFUSED,
    "25006": Fault.READ_ONLY,
    "40": Fault.LOCKED,  # a deadlock, or a conflict with a replica's cleaning
    "42P01": Fault.NO_TABLES,
    "42703": Fault.NO_TABLES,
    "53100": Fault.FULL,
    "55P03": Fault.LOCKED,
    "XX001": Fault.DAMAGED,
}


def is_sqlite(engine: Engine) -> bool:
    """Whether the database is embedded, with one writer at a time."""
    return engine.dialect.name == "sqlite"


def prepare_connections(engine: Engine) -> None:
    """Set up every connection that the engine opens; PostgreSQL needs nothing that lasts for a session."""
    if is_sqlite(engine):
        event.listen(engine, "connect", _prepare_sqlite)


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    for pragma in _SQLITE_PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def begin_write(connection: Connection, wait_seconds: float) -> datetime:
    """Begin a transaction that writes; returns the database's time.

    SQLite has one writer: who waits asks again within 2 ms, since the driver's own pauses grow to 100 ms and
    leave the lock to whoever comes last.
    """
    if connection.dialect.name != "sqlite":
        now: datetime = connection.execute(_BEGIN_POSTGRESQL).scalar_one()
        return now.astimezone(UTC)
    give_up = time.monotonic() + wait_seconds
    while True:
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            return datetime.now(UTC)
        except OperationalError as error:
            if not _is_busy(error.orig) or time.monotonic() > give_up:
                raise
            time.sleep(random.uniform(0, _LONGEST_PAUSE_SECONDS))  # noqa: S311 - spreads who asks


def read_clock(connection: Connection) -> datetime:
    """The database's time; that of an embedded database is this machine's."""
    if connection.dialect.name == "sqlite":
        return datetime.now(UTC)
    now: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return now.astimezone(UTC)


class Among(FunctionElement[bool]):
    """Whether a column is one of the values of a parameter, which in PostgreSQL is an array."""

    name = "among"
    type = Boolean()
    inherit_cache = True

    def __init__(self, column: ColumnElement[Any], parameter: str) -> None:
        super().__init__(
            column.in_(bindparam(parameter, expanding=True)),
            column == any_(bindparam(parameter, type_=ARRAY(column.type))),
        )

    def self_group(self, against: OperatorType | None = None) -> Self:  # noqa: ARG002 - as SQLAlchemy has it
        """Itself: it is a condition; SQLite would be asked whether it `= 1`, and use no index."""
        return self


@compiles(Among)
def _compile_among(element: Among, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401 - passed on
    in_list, in_array = element.clauses
    return compiler.process(in_list if compiler.dialect.name == "sqlite" else in_array, **options)


class QuarterHour(FunctionElement[datetime]):
    """When the quarter of an hour began that a moment lies in."""

    name = "quarter_hour"
    type = Moment()
    inherit_cache = True


@compiles(QuarterHour)
def _compile_quarter_hour(element: QuarterHour, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401 - passed on
    moment = compiler.process(element.clauses, **options)
    if compiler.dialect.name == "sqlite":
        return f"({moment}) / {_QUARTER_HOUR} * {_QUARTER_HOUR}"
    return f"date_bin('15 minutes', {moment}, 'epoch')"


def insert_into(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that knows ON CONFLICT."""
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)


def insert_rows(connection: Connection, table: Table, rows: Rows) -> None:
    """Insert rows that have the same columns; at least one."""
    if connection.dialect.name == "sqlite":
        connection.execute(table.insert(), rows)
    else:
        connection.execute(_insert_given(table, tuple(rows[0])), _columns_of(rows))


def insert_all_new(connection: Connection, table: Table, rows: Rows) -> bool:
    """Insert rows unless another transaction has just stored one of them; then some are left out.

    Whoever calls has looked: in SQLite, which one transaction at a time writes to, none can be there.
    """
    if connection.dialect.name == "sqlite":
        connection.execute(table.insert(), rows)
        return True
    insert = _insert_given(table, tuple(rows[0])).on_conflict_do_nothing()
    counted = insert.execution_options(preserve_rowcount=True)
    return connection.execute(counted, _columns_of(rows)).rowcount == len(rows)


def insert_new_rows(connection: Connection, table: Table, rows: Rows, unique: Index) -> set[Any]:
    """Insert those rows whose value of a unique index is free; the primary keys of these."""
    (key,) = table.primary_key
    where = unique.dialect_options[connection.dialect.name]["where"]
    target: dict[str, Any] = {"index_elements": list(unique.columns.keys()), "index_where": where}
    if connection.dialect.name == "sqlite":
        embedded = sqlite.insert(table).on_conflict_do_nothing(**target).returning(key)
        return set(connection.scalars(embedded, rows))
    insert = _insert_given(table, tuple(rows[0])).on_conflict_do_nothing(**target).returning(key)
    return set(connection.scalars(insert, _columns_of(rows)))


def update_rows(connection: Connection, table: Table, rows: Rows, same: Mapping[str, Any]) -> None:
    """Give rows new values: each of `rows` has its own and its primary key, `same` has those of all."""
    keys = tuple(table.primary_key)
    names = tuple(name for name in rows[0] if name not in table.primary_key.columns)
    if connection.dialect.name == "sqlite":
        values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in names}
        renamed = [{f"new_{name}": value for name, value in row.items()} for row in rows]
        one = update(table).where(*(key == bindparam(f"new_{key.name}") for key in keys))
        connection.execute(one.values({**values, **same}), renamed)
    else:
        connection.execute(_update_from_given(table, names).values(dict(same)), _columns_of(rows))


def select_given(connection: Connection, table: Table, rows: Rows) -> tuple[FromClause, dict[str, list[Any]]]:
    """Rows that have some of a table's columns, to join with, and the parameters to execute that with."""
    names = tuple(rows[0])
    if connection.dialect.name == "sqlite":
        listed = values(*(column(name, table.c[name].type) for name in names), name="given")
        return listed.data([tuple(row[name] for name in names) for row in rows]).cte("given"), {}
    return _select_given(table, names).subquery("known"), _columns_of(rows)


def _columns_of(rows: Rows) -> dict[str, list[Any]]:
    return {f"given_{name}": [row[name] for row in rows] for name in rows[0]}


@cache
def _select_given(table: Table, names: tuple[str, ...]) -> Select[*tuple[Any, ...]]:
    """Rows that come as one array a column: half the time of a statement a row, or less."""
    arrays = [bindparam(f"given_{name}", type_=ARRAY(table.c[name].type)) for name in names]
    given = func.unnest(*arrays).table_valued(*names).render_derived(name="given")
    return select(*(given.c[name] for name in names))


@cache
def _insert_given(table: Table, names: tuple[str, ...]) -> postgresql.Insert:
    return postgresql.insert(table).from_select(list(names), _select_given(table, names))


@cache
def _update_from_given(table: Table, names: tuple[str, ...]) -> Update:
    keys = tuple(table.primary_key)
    given = _select_given(table, (*(key.name for key in keys), *names)).subquery()
    found = (key == given.c[key.name] for key in keys)
    return update(table).where(*found).values({name: given.c[name] for name in names})


def lock_until_commit(connection: Connection, number: int) -> None:
    """Let one transaction at a time pass here; in SQLite a writing one is alone anyway."""
    if connection.dialect.name != "sqlite":
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": number})


def notify_listeners(connection: Connection) -> None:
    """Wake the workers of other processes; SQLite can't."""
    if connection.dialect.name != "sqlite":
        connection.execute(text("SELECT pg_notify(:channel, '')"), {"channel": LISTEN_CHANNEL})


def read_oldest_snapshot(connection: Connection) -> float | None:
    """Seconds since the oldest transaction began that vacuum must wait for; SQLite has no vacuum to wait."""
    if connection.dialect.name == "sqlite":
        return None
    age: float | None = connection.execute(_OLDEST_SNAPSHOT).scalar_one()
    return max(0.0, age or 0.0)


def find_damage(connection: Connection) -> list[str]:
    """What an embedded database's own check finds first; a server is watched by its own means."""
    if connection.dialect.name != "sqlite":
        return []
    found = connection.exec_driver_sql("PRAGMA integrity_check(3)").scalars()
    lines = [line for answer in found for line in str(answer).splitlines()]
    return [line for line in lines if line != "ok" and not line.startswith("***")]


def find_fault(error: BaseException) -> Fault:
    """What a driver's error means; one that it knows nothing of counts as no answer."""
    if isinstance(error, sqlite3.Error):
        code: int | None = getattr(error, "sqlite_errorcode", None)  # the driver's own refusals have none
        if code is None:
            return Fault.REFUSED
        return _SQLITE_FAULTS.get(code & 0xFF, Fault.UNREACHABLE)
    state: str | None = getattr(error, "sqlstate", None)
    if state is None:  # a lost connection, or a value that the driver itself can't send
        return Fault.REFUSED if type(error).__name__ == "DataError" else Fault.UNREACHABLE
    return _POSTGRESQL_FAULTS.get(state) or _POSTGRESQL_FAULTS.get(state[:2]) or Fault.UNREACHABLE


def _is_busy(error: BaseException | None) -> bool:
    return error is not None and find_fault(error) is Fault.LOCKED
