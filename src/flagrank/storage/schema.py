"""Which version the database's tables have, and bringing them to the one that this program knows."""

from pathlib import Path

import msgspec
from sqlalchemy import Connection, inspect, text

from flagrank.storage.dialect import lock_until_commit
from flagrank.storage.engine import Database
from flagrank.triage.errors import DatabaseRefused

NEWEST = "0002"
KNOWN = ("0001", NEWEST)  # oldest first; a test compares them with the migrations

_LOCK = 0x666C6167_0000
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
        """Whether this program can use or upgrade them; those of a newer program it can't."""
        return self.current is None or self.current in KNOWN


def read_schema_status(database: Database) -> SchemaStatus:
    """Look the version up; changes nothing."""
    with database.read() as connection:
        return _read_status(connection)


def check_schema(database: Database) -> None:
    """Raise `DatabaseRefused` unless the tables have the version that this program knows best."""
    _refuse_newer(status := read_schema_status(database))
    if not status.is_current:
        found = "no tables" if status.current is None else f"tables of version {status.current}"
        raise DatabaseRefused(
            f"The database has {found}, this flagrank needs {status.newest}. Run `flagrank db upgrade`."
        )


def upgrade_schema(database: Database) -> SchemaStatus:
    """Bring the tables to the newest version in one transaction; returns how they were before.

    Processes that do so at once wait for each other. Raises `DatabaseRefused` where the tables are newer.
    """
    with database.write() as (connection, _):
        lock_until_commit(connection, _LOCK)
        _refuse_newer(status := _read_status(connection))
        if not status.is_current:
            _migrate(connection, "upgrade", status.newest)
    return status


def downgrade_schema(database: Database, version: str | None) -> None:
    """Take the tables back to an older version, or away (None), with what only the newer ones held."""
    with database.write() as (connection, _):
        lock_until_commit(connection, _LOCK)
        _refuse_newer(_read_status(connection))
        _migrate(connection, "downgrade", version or "base")


def _read_status(connection: Connection) -> SchemaStatus:
    current = None
    if inspect(connection).has_table("alembic_version"):
        current = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return SchemaStatus(current, NEWEST)


def _refuse_newer(status: SchemaStatus) -> None:
    if not status.is_known:
        raise DatabaseRefused(
            f"The database has tables of version {status.current}, newer than this flagrank knows "
            f"({status.newest}). Install the flagrank that made them, or a later one."
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
