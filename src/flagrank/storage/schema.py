"""Which version the database's tables have, and bringing them to the one that this program knows.

A version is a number, `0001`, and from the second on it tells the oldest program that it still serves:
`0003_from_0002` has what version 2 reads and writes, and lacks something of version 1. So a program runs on
tables of a newer one that only added to its own, and refuses all others.
"""

import re
from pathlib import Path

import msgspec
from sqlalchemy import Connection, false, inspect, select, text

from flagrank.storage.dialect import lock_until_commit
from flagrank.storage.engine import Database
from flagrank.storage.tables import metadata, task
from flagrank.triage.errors import DatabaseRefused

NEWEST = "0003_from_0002"
KNOWN = ("0001", "0002_from_0001", NEWEST)  # oldest first; a test compares them with the migrations

_LOCK = 0x666C6167_0000
_NUMBER_CHARS = 4
_NEWER = re.compile(r"[0-9]{4}_from_([0-9]{4})")
_MIGRATIONS = Path(__file__).parent / "migrations"


class SchemaStatus(msgspec.Struct, frozen=True):
    """The version of the tables, None where there are none, and the newest that this program knows."""

    current: str | None
    newest: str

    @property
    def is_current(self) -> bool:
        """Whether there is nothing to upgrade."""
        return self.current == self.newest

    @property
    def is_known(self) -> bool:
        """Whether this program can upgrade them, where that is needed; those of a newer program it can't."""
        return self.current is None or self.current in KNOWN

    @property
    def still_serves(self) -> bool:
        """Whether they are a newer program's that has only added to those of this one."""
        newer = None if self.is_known else _NEWER.fullmatch(self.current or "")
        return newer is not None and newer[1] <= self.newest[:_NUMBER_CHARS]

    @property
    def is_usable(self) -> bool:
        """Whether this program can work with them as they are."""
        return self.is_current or self.still_serves


def read_schema_status(database: Database) -> SchemaStatus:
    """Look the version up; changes nothing."""
    with database.read() as connection:
        return _read_status(connection)


def check_schema(database: Database) -> SchemaStatus:
    """The version of the tables; raises `DatabaseRefused` unless this program needs or can use it."""
    _refuse_newer(status := read_schema_status(database))
    if not status.is_usable:
        found = "no tables" if status.current is None else f"tables of version {status.current}"
        raise DatabaseRefused(
            f"The database has {found}, this flagrank needs {status.newest}. Run `flagrank db upgrade`."
        )
    return status


def upgrade_schema(database: Database) -> SchemaStatus:
    """Bring the tables to the newest version in one transaction; returns how they were before.

    Processes that do so at once wait for each other. Newer tables that still serve this program stay as they
    are. Raises `DatabaseRefused` where they no longer do, or are another program's.
    """
    with database.write() as (connection, _):
        lock_until_commit(connection, _LOCK)
        _refuse_newer(status := _read_status(connection))
        if status.current is None:
            _refuse_foreign(connection)
        if not status.is_usable:
            _migrate(connection, "upgrade", status.newest)
    return status


def check_writing(database: Database) -> None:
    """Raise `StoreUnavailable` unless the database lets this program write; changes nothing."""
    with database.write() as (connection, _):
        connection.execute(select(task.c.task_id).where(false()).with_for_update())


def downgrade_schema(database: Database, version: str | None) -> None:
    """Take the tables back to an older version, or away (None), with what only the newer ones held."""
    with database.write() as (connection, _):
        lock_until_commit(connection, _LOCK)
        status = _read_status(connection)
        if not status.is_known:
            raise _make_refusal(status)
        _migrate(connection, "downgrade", version or "base")


def _read_status(connection: Connection) -> SchemaStatus:
    current = None
    if inspect(connection).has_table("alembic_version"):
        current = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return SchemaStatus(current, NEWEST)


def _refuse_newer(status: SchemaStatus) -> None:
    if not (status.is_known or status.still_serves):
        raise _make_refusal(status)


def _make_refusal(status: SchemaStatus) -> DatabaseRefused:
    return DatabaseRefused(
        f"The database has tables of version {status.current}, newer than this flagrank knows "
        f"({status.newest}). Install the flagrank that made them, or a later one."
    )


def _refuse_foreign(connection: Connection) -> None:
    taken = sorted(set(metadata.tables) & set(inspect(connection).get_table_names()))
    if taken:
        raise DatabaseRefused(
            f"The database has tables that flagrank did not make, under names that it needs: "
            f"{', '.join(taken)}. Give flagrank a database of its own."
        )


def _migrate(connection: Connection, direction: str, version: str) -> None:
    # Half a second of CPU, which a process whose tables are current does not spend.
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    if direction == "upgrade":
        command.upgrade(config, version)
    else:
        command.downgrade(config, version)
