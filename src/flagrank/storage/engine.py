"""The database: one pool of connections, transactions that read or write, and errors in our own words."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from copy import copy
from datetime import datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple, Self

from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError, StatementError

from flagrank.storage.dialect import (
    Fault,
    begin_write,
    find_fault,
    is_sqlite,
    prepare_connections,
    read_oldest_snapshot,
)
from flagrank.storage.writer_queue import WriterQueue
from flagrank.telemetry import DatabaseMetrics, Slots
from flagrank.triage.errors import (
    DatabaseRefused,
    ExtraMissing,
    FlagrankError,
    SettingsRefused,
    StoreRefused,
    StoreUnavailable,
    shorten,
)

WAIT_SECONDS = 10.0
_CONNECTIONS = 10

# prepare_threshold None: a statement that the server keeps is lost behind a pooler in transaction mode.
_POSTGRESQL_ARGUMENTS: dict[str, Any] = {
    "prepare_threshold": None,
    "connect_timeout": 5,
    "application_name": "flagrank",
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}
_NAMES = {"postgres": "postgresql+psycopg", "postgresql": "postgresql+psycopg"}


class Transaction(NamedTuple):
    """A transaction that writes, and the database's time at its beginning."""

    connection: Connection
    now: datetime


class Database:
    """A pool of connections to one database; thread-safe, no connection is made before the first use."""

    def __init__(self, engine: Engine, wait_seconds: float) -> None:
        self._engine = engine
        self._wait_seconds = wait_seconds
        self._is_embedded = is_sqlite(engine)
        # Outside of a transaction each statement stands for itself, and costs one round trip.
        self._reading = (
            engine if self._is_embedded else engine.execution_options(isolation_level="AUTOCOMMIT")
        )
        self._writers = WriterQueue(Path(f"{engine.url.database}-writers")) if self._is_embedded else None
        self._metrics = DatabaseMetrics(Slots())
        self._shift = timedelta(0)

    def count_in(self, metrics: DatabaseMetrics) -> None:
        """Count waits and transactions there from now on."""
        self._metrics = metrics

    @property
    def is_embedded(self) -> bool:
        """Whether it is a file of this machine, which upgrades itself."""
        return self._is_embedded

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for statements that only read, each seeing what is committed as it begins."""
        begin = perf_counter()
        with _own_words(), self._reading.connect() as connection, self._counted("read", begin):
            yield connection

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """A transaction, committed at the end of the block and rolled back by any error in it.

        Raises `StoreUnavailable`, or `StoreRefused` where the database refuses a value.
        """
        turn = self._writers.turn(self._wait_seconds) if self._writers else nullcontext()
        begin = perf_counter()
        with (
            _own_words(),
            turn,
            self._engine.connect() as connection,
            self._counted("write", begin),
            connection.begin(),
        ):
            yield Transaction(connection, begin_write(connection, self._wait_seconds) + self._shift)

    def seen_from(self, shift: timedelta) -> Self:
        """The same database, in whose transactions it is later by so much, or earlier.

        For a history that is written afterwards.
        """
        shifted = copy(self)
        shifted._shift += shift  # noqa: SLF001 - its own class
        return shifted

    def check(self) -> None:
        """Raise `StoreUnavailable` unless the database answers."""
        with self.read() as connection:
            connection.execute(text("SELECT 1"))

    def explain_silence(self) -> str | None:
        """Why a server can't be reached, in its driver's words, which hold no password; None where it can."""
        if not self._is_embedded:
            try:
                self._engine.connect().close()
            except DBAPIError as error:
                return shorten(error.orig or error)
        return None

    def read_oldest_snapshot_seconds(self) -> float | None:
        """Age of the oldest snapshot that keeps vacuum from its work; None where there is no such thing."""
        with self.read() as connection:
            return read_oldest_snapshot(connection)

    def close(self) -> None:
        """Close all connections; it may be used again, with new ones."""
        self._engine.dispose()

    @contextmanager
    def _counted(self, kind: str, asked_at: float) -> Iterator[None]:
        begin = perf_counter()
        self._metrics.waits.observe(begin - asked_at)
        try:
            yield
        finally:
            self._metrics.transactions.observe(perf_counter() - begin, (kind,))


def open_database(url: str, wait_seconds: float = WAIT_SECONDS) -> Database:
    """The database of this URL, `sqlite:///FILE` or `postgresql://...`; nothing is opened yet.

    No one waits longer than `wait_seconds` for a connection, or for the one writer of SQLite.

    Raises `SettingsRefused` without repeating the URL, which may hold a password, or `ExtraMissing`.
    """
    parsed = _parse_url(url)
    try:
        if parsed.get_backend_name() == "sqlite":
            # Every transaction begins with BEGIN IMMEDIATE of our own: the driver's would read first, and
            # then fail at once where another process wrote meanwhile.
            options: dict[str, Any] = {
                "isolation_level": "AUTOCOMMIT",
                "connect_args": {"timeout": wait_seconds},
            }
        else:
            options = {"pool_pre_ping": True, "connect_args": _POSTGRESQL_ARGUMENTS}
        engine = create_engine(
            parsed,
            pool_size=_CONNECTIONS,
            max_overflow=0,
            pool_timeout=wait_seconds,
            hide_parameters=True,
            **options,
        )
    except ImportError as error:
        raise ExtraMissing("PostgreSQL needs an extra: pip install 'flagrank[postgres]'.") from error
    prepare_connections(engine)
    return Database(engine, wait_seconds)


def embedded_url(file: Path) -> str:
    """The URL of an SQLite file."""
    return URL.create("sqlite", database=str(file)).render_as_string()


def _parse_url(url: str) -> URL:
    try:
        parsed = make_url(url)
        parsed = parsed.set(drivername=_NAMES.get(parsed.drivername, parsed.drivername))
        if parsed.drivername in {"sqlite", *_NAMES.values()}:
            return parsed
    except (ArgumentError, NoSuchModuleError, ValueError):
        pass
    raise SettingsRefused(
        "The database URL is none that flagrank can use. Write postgresql://USER:PASSWORD@HOST/NAME."
    )


@contextmanager
def _own_words() -> Iterator[None]:
    """Turn what SQLAlchemy and drivers raise into errors of our own."""
    try:
        yield
    except DBAPIError as error:
        raise _describe(find_fault(error.orig or error)) from error
    except StatementError as error:  # a value that can't be turned into the column's type
        raise _describe(Fault.REFUSED) from error
    except (UnicodeEncodeError, OverflowError) as error:  # half a surrogate pair; 2^63
        raise _describe(Fault.REFUSED) from error
    except TimeoutError as error:  # another writer kept its turn
        raise _describe(Fault.LOCKED) from error
    except OSError as error:  # the lock file can't be made
        raise _describe(_fault_of_file(error)) from error
    except SQLAlchemyError as error:  # no connection became free in time
        raise _describe(Fault.UNREACHABLE) from error


def _fault_of_file(error: OSError) -> Fault:
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return Fault.FULL
        case errno.EROFS | errno.EACCES | errno.EPERM:
            return Fault.READ_ONLY
        case _:
            return Fault.UNREACHABLE


def _describe(fault: Fault) -> FlagrankError:
    match fault:
        case Fault.REFUSED:
            return StoreRefused(
                "The database refuses a value of this request. Change it; it can't be stored."
            )
        case Fault.NO_TABLES:
            return DatabaseRefused(
                f"The database can't be used: {fault.value}. "
                "Run `flagrank db status`, then `flagrank db upgrade`."
            )
        case Fault.DAMAGED:
            return DatabaseRefused(
                f"The database can't be used: {fault.value}. Restore it from a backup, or name another one."
            )
        case Fault.READ_ONLY:
            return StoreUnavailable(
                f"The database can't be used now: {fault.value}. Give this user the right to write to its "
                "file and folder; of servers, name the primary one."
            )
        case _:
            return StoreUnavailable(f"The database can't be used now: {fault.value}. Try again later.")
