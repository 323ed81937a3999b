"""Databases for tests: SQLite files and real PostgreSQL servers, each test with fresh tables."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

from flagrank.storage.engine import embedded_url, open_database
from flagrank.storage.schema import upgrade_schema
from tests.postgres_server import DEBIAN_15, WHEEL_18, PostgresServer, run_server

KINDS = ("sqlite", "postgresql-18", *(["postgresql-15"] if DEBIAN_15.exists() else []))

MakeUrl = Callable[[], str]


def migrate(url: str) -> None:
    database = open_database(url)
    upgrade_schema(database)
    database.close()


@contextmanager
def make_databases(kind: str, folder: Path) -> Iterator[MakeUrl]:
    """A function that gives the URL of one more database with the newest tables and no rows."""
    with ExitStack() as stack:
        if kind == "sqlite":
            yield copy_files(folder)
        else:
            server = stack.enter_context(run_server(WHEEL_18 if kind == "postgresql-18" else DEBIAN_15))
            yield copy_databases(server)


def copy_files(folder: Path) -> MakeUrl:
    template = folder / "template.db"
    migrate(embedded_url(template))
    numbers = count()

    def make() -> str:
        file = folder / f"{next(numbers)}.db"
        shutil.copy(template, file)
        return embedded_url(file)

    return make


def copy_databases(server: PostgresServer) -> MakeUrl:
    migrate(server.create_database("template"))
    numbers = count()

    def make() -> str:
        return server.create_database(f"test_{next(numbers)}", template="template")

    return make
