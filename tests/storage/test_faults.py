"""Databases that fail: what is said, that nothing is half done, and that service returns by itself."""

import shutil
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from flagrank.storage.engine import Database, embedded_url, open_database
from flagrank.storage.writer_queue import WriterQueue
from flagrank.triage.errors import DatabaseRefused, SettingsRefused, StoreUnavailable
from tests.databases import migrate
from tests.postgres_server import WHEEL_18, PostgresServer, run_server
from tests.task_store import TaskStore, submission


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with run_server(WHEEL_18) as started:
        migrate(started.create_database("flagrank"))
        yield started


@pytest.fixture
def remote(server: PostgresServer) -> Iterator[Database]:
    database = open_database(server.url("flagrank"), wait_seconds=2)
    yield database
    database.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    migrate(embedded_url(tmp_path / "flagrank.db"))
    return tmp_path / "flagrank.db"


@pytest.fixture
def embedded(file: Path) -> Iterator[Database]:
    database = open_database(embedded_url(file), wait_seconds=0.5)
    yield database
    database.close()


def test_a_stopped_server_is_unavailable_and_returns_by_itself(
    server: PostgresServer, remote: Database
) -> None:
    store = TaskStore(remote)
    before = store.submit(2)
    server.stop()
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="does not answer"):
            store.submit()
        with pytest.raises(StoreUnavailable, match="does not answer"):
            remote.check()
    server.start()
    remote.check()
    store.submit()
    assert all(store.reading.read_task(task_id) for task_id in before)


def test_a_server_killed_while_connections_are_open_loses_nothing_committed(
    server: PostgresServer, remote: Database
) -> None:
    store = TaskStore(remote)
    before = store.submit(50)
    server.kill()
    with pytest.raises(StoreUnavailable):
        store.submit()
    server.start()
    assert all(store.reading.read_task(task_id) for task_id in before)


def test_ended_connections_are_replaced_without_anyone_noticing(
    server: PostgresServer, remote: Database
) -> None:
    store = TaskStore(remote)
    store.submit()
    with psycopg.connect(server.url("flagrank"), autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = 'flagrank' AND pid <> pg_backend_pid()"
        )
    store.submit()


def test_no_statement_is_kept_by_the_server(server: PostgresServer, remote: Database) -> None:
    """What a pooler in transaction mode needs: each transaction may come to another connection."""
    store = TaskStore(remote)
    for _ in range(12):
        store.submit()
        store.finish(store.claim())
    with remote.read() as connection:
        kept = connection.exec_driver_sql("SELECT count(*) FROM pg_prepared_statements").scalar()
        limits = connection.exec_driver_sql("SHOW lock_timeout").scalar()
    assert (kept, limits) == (0, "0")
    assert server.pid


def test_a_locked_file_is_unavailable_until_it_is_free(file: Path, embedded: Database) -> None:
    store = TaskStore(embedded)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked"):
        store.submit()
    assert store.counts() == {}
    other.execute("ROLLBACK")
    other.close()
    store.submit()


def test_whoever_holds_its_turn_too_long_makes_others_unavailable_not_stuck(
    file: Path, embedded: Database
) -> None:
    """A process that was stopped in the middle of a transaction, say."""
    store = TaskStore(embedded)
    with WriterQueue(Path(f"{file}-writers")).turn(1):
        for _ in range(3):
            with pytest.raises(StoreUnavailable, match="locked"):
                store.submit()
        assert store.counts() == {}
    store.submit()
    assert store.counts() == {"queued": 1}


def test_a_full_disk_is_unavailable_and_what_is_there_stays_readable(file: Path, embedded: Database) -> None:
    store = TaskStore(embedded)
    before = store.submit(3)
    with embedded.read() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        # This connection is the pool's only one.
    with pytest.raises(StoreUnavailable, match="full"):
        store.accept([submission(n_reports=10_000)])
    assert store.counts() == {"queued": 3}
    assert all(store.reading.read_task(task_id) for task_id in before)
    assert file.exists()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "flagrank.db"
    file.write_bytes(b"no database " * 1_000)
    database = open_database(embedded_url(file))
    with pytest.raises(DatabaseRefused, match="damaged"):
        TaskStore(database).counts()


def test_a_file_in_no_folder_is_unavailable(tmp_path: Path) -> None:
    database = open_database(embedded_url(tmp_path / "none" / "flagrank.db"), wait_seconds=0.5)
    with pytest.raises(StoreUnavailable):
        database.check()


def test_a_copy_of_the_files_is_a_whole_database(file: Path, embedded: Database, tmp_path: Path) -> None:
    store = TaskStore(embedded)
    made = store.submit(20)
    for beside in ("", "-wal"):
        shutil.copy(f"{file}{beside}", tmp_path / f"copy.db{beside}")
    copy = open_database(embedded_url(tmp_path / "copy.db"))
    assert all(TaskStore(copy).reading.read_task(task_id) for task_id in made)
    copy.close()


def test_sqlite_commits_reach_the_disk_before_they_return(embedded: Database) -> None:
    with embedded.read() as connection:
        asked = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    assert asked == ["wal", 2, 1]


def test_threads_of_one_process_never_meet_a_lock(file: Path) -> None:
    database = open_database(embedded_url(file))
    store = TaskStore(database)
    with ThreadPoolExecutor(16) as threads:
        assert len(list(threads.map(lambda _: store.submit(), range(400)))) == 400
    assert store.counts() == {"queued": 400}
    database.close()


@pytest.mark.parametrize(
    "url", ["", "nope", "mysql://h/d", "oracle://secret@h/d", "postgresql://u:secret@h:port/d"]
)
def test_another_kind_of_database_is_refused_without_repeating_the_url(url: str) -> None:
    with pytest.raises(SettingsRefused, match="postgresql://USER:PASSWORD@HOST/NAME") as refused:
        open_database(url)
    assert "secret" not in refused.value.detail
