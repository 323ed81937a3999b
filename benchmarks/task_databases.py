"""Databases for benchmarks: a new SQLite file, and a PostgreSQL server that waits for its disk (fsync on)."""

import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from flagrank.storage.engine import embedded_url, open_database
from flagrank.storage.schema import upgrade_schema
from tests.postgres_server import WHEEL_18, run_server

POSTGRESQL, SQLITE = "PostgreSQL", "SQLite"
_SYNCS = 200
_PAGE_BYTES = 8_192


@dataclass(frozen=True, slots=True)
class TaskDatabase:
    """A database with tables and no rows."""

    name: str
    url: str
    environment: Mapping[str, str]  # how `flagrank` is told of it
    settings: str  # what makes a commit durable in it


@contextmanager
def new_postgresql() -> Iterator[TaskDatabase]:
    """A server of its own, ended with the block; refuses to measure one that does not wait for its disk."""
    with run_server(WHEEL_18) as server:
        url = server.create_database("bench")
        with psycopg.connect(url) as connection:
            row = connection.execute(
                "SELECT current_setting('fsync'), current_setting('synchronous_commit'), "
                "current_setting('server_version')"
            ).fetchone()
        if row is None or row[:2] != ("on", "on"):
            raise RuntimeError(
                f"this PostgreSQL does not wait for its disk: fsync, synchronous_commit = {row}"
            )
        _make_tables(url)
        environment = {"FLAGRANK_DATABASE_URL": url}
        yield TaskDatabase(f"{POSTGRESQL} {row[2]}", url, environment, "fsync on, synchronous_commit on")


@contextmanager
def new_sqlite() -> Iterator[TaskDatabase]:
    """A file of its own, deleted with the block."""
    with tempfile.TemporaryDirectory(prefix="flagrank-bench-") as folder:
        file = Path(folder) / "ports.db"  # beside the file that a server makes for itself
        url = embedded_url(file)
        _make_tables(url)
        yield TaskDatabase(SQLITE, url, {"FLAGRANK_DATA_DIR": folder}, "WAL, synchronous FULL")


def _make_tables(url: str) -> None:
    database = open_database(url)
    upgrade_schema(database)
    database.close()


def measure_disk() -> float:
    """Mean seconds that one appended page takes to reach the disk that these databases lie on."""
    with tempfile.NamedTemporaryFile() as file:
        start = time.perf_counter()
        for _ in range(_SYNCS):
            file.write(bytes(_PAGE_BYTES))
            file.flush()
            os.fdatasync(file.fileno())
        return (time.perf_counter() - start) / _SYNCS
