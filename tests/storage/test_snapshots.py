"""How old the oldest snapshot is that keeps vacuum from dead rows, as the role of the service sees it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from flagrank.storage.engine import Database, embedded_url, open_database
from tests.databases import migrate
from tests.postgres_server import WHEEL_18, PostgresServer, run_server

MOMENT = 1.5


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """It has a second database and a role that may do nothing special."""
    with run_server(WHEEL_18) as started:
        with psycopg.connect(started.url(), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET max_prepared_transactions = 5")
            connection.execute("CREATE ROLE ordinary LOGIN")
        started.stop()
        started.start()
        migrate(started.create_database("flagrank"))
        started.create_database("neighbour")
        yield started


@pytest.fixture
def database(server: PostgresServer) -> Iterator[Database]:
    opened = open_database(as_ordinary(server.url("flagrank")))
    yield opened
    opened.close()


def as_ordinary(url: str) -> str:
    return url.replace("flagrank@", "ordinary@")


@contextmanager
def opened_snapshot(url: str, *, level: str = "REPEATABLE READ") -> Iterator[psycopg.Connection[Any]]:
    """A transaction that has looked at something, and then does nothing."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"BEGIN ISOLATION LEVEL {level}")
        connection.execute("SELECT count(*) FROM pg_class")
        yield connection


def read(database: Database) -> float:
    age = database.read_oldest_snapshot_seconds()
    assert age is not None
    return age


def test_an_open_snapshot_grows_older_until_it_is_closed(server: PostgresServer, database: Database) -> None:
    assert read(database) < MOMENT
    with opened_snapshot(as_ordinary(server.url("flagrank"))):
        first = read(database)
        time.sleep(MOMENT)
        assert first + MOMENT <= read(database) < 30
    assert read(database) < MOMENT


def test_what_holds_nobody_up_does_not_count(server: PostgresServer, database: Database) -> None:
    """A snapshot of another database, and a transaction between statements that has no snapshot."""
    own = as_ordinary(server.url("flagrank"))
    with (
        opened_snapshot(as_ordinary(server.url("neighbour"))),
        opened_snapshot(own, level="READ COMMITTED"),
    ):
        time.sleep(MOMENT)
        assert read(database) < MOMENT


def test_a_transaction_that_has_written_counts_without_a_snapshot(
    server: PostgresServer, database: Database
) -> None:
    with opened_snapshot(as_ordinary(server.url("flagrank")), level="READ COMMITTED") as connection:
        connection.execute("CREATE TEMPORARY TABLE written ()")
        time.sleep(MOMENT)
        assert read(database) >= MOMENT


def test_of_another_role_s_transaction_the_age_is_known_with_the_right_to_read_it(
    server: PostgresServer, database: Database
) -> None:
    with opened_snapshot(server.url("flagrank")), psycopg.connect(server.url(), autocommit=True) as admin:
        time.sleep(MOMENT)
        assert read(database) < MOMENT
        admin.execute("GRANT pg_read_all_stats TO ordinary")
        assert read(database) >= MOMENT
        admin.execute("REVOKE pg_read_all_stats FROM ordinary")


def test_a_prepared_transaction_that_nobody_ends_counts(server: PostgresServer, database: Database) -> None:
    with psycopg.connect(server.url("flagrank"), autocommit=True) as connection:
        connection.execute("BEGIN")
        connection.execute("CREATE TABLE forgotten ()")
        connection.execute("PREPARE TRANSACTION 'forgotten'")
        time.sleep(MOMENT)
        assert read(database) >= MOMENT
        connection.execute("ROLLBACK PREPARED 'forgotten'")
    assert read(database) < MOMENT


def test_sqlite_has_no_such_thing(tmp_path: Path) -> None:
    migrate(embedded_url(tmp_path / "flagrank.db"))
    database = open_database(embedded_url(tmp_path / "flagrank.db"))
    assert database.read_oldest_snapshot_seconds() is None
    database.close()
