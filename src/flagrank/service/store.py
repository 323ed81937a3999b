"""The database that settings name: where it is, opened, its tables brought up to date."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from flagrank.settings import Settings
from flagrank.storage.engine import Database, embedded_url, open_database
from flagrank.storage.schema import NEWEST, SchemaStatus, check_schema, read_schema_status, upgrade_schema
from flagrank.triage.errors import SettingsRefused

FILE = "flagrank.db"


@contextmanager
def opened_database(settings: Settings) -> Iterator[Database]:
    """The database as it is; the folder of an embedded one is made. Raises `SettingsRefused`."""
    database = open_database(_locate(settings))
    try:
        yield database
    finally:
        database.close()


@contextmanager
def opened_store(settings: Settings) -> Iterator[Database]:
    """The database with the newest tables, which an embedded or an empty one is given here.

    Raises `DatabaseRefused` where its tables are newer, or those of PostgreSQL older; `StoreUnavailable`.
    """
    with opened_database(settings) as database:
        if database.is_embedded or read_schema_status(database).current is None:
            upgrade_schema(database)
        check_schema(database)
        yield database


def look_at_schema(settings: Settings) -> SchemaStatus:
    """Which version the tables have; makes no database where there is none."""
    file = embedded_file(settings)
    if file is not None and not file.exists():
        return SchemaStatus(None, NEWEST)
    with opened_database(settings) as database:
        return read_schema_status(database)


def embedded_file(settings: Settings) -> Path | None:
    """The file of an embedded database; None where the database is a server."""
    return Path(settings.data_dir) / FILE if settings.database_url is None else None


def free_bytes_reader(settings: Settings) -> Callable[[], int] | None:
    """What tells how much room is left for an embedded database."""
    if settings.database_url is not None:
        return None
    return lambda: shutil.disk_usage(settings.data_dir).free


def _locate(settings: Settings) -> str:
    if settings.database_url is not None:
        return settings.database_url
    folder = Path(settings.data_dir)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsRefused(
            f"The data directory {folder} can't be made: {error.strerror or error}. Set FLAGRANK_DATA_DIR to "
            "a folder that may be written to."
        ) from error
    return embedded_url(folder / FILE)
