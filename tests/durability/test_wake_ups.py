"""How soon a waiting worker hears of what another process has submitted, and what it does while deaf."""

import time
from collections.abc import Iterator

import psycopg
import pytest

from flagrank.storage.engine import Database, embedded_url, open_database
from flagrank.storage.task_intake import StoredTaskIntake
from flagrank.storage.wake_ups import ListeningWakeUps, choose_wake_ups
from tests.databases import migrate
from tests.durability.patience import count_open, end, opened_store, wait_until
from tests.durability.roles import Work, make_submissions, start, start_submitting, work
from tests.pgbouncer import PGBOUNCER, run_pooler
from tests.postgres_server import WHEEL_18, PostgresServer, run_server

SOON = 0.5  # seconds; a worker that polls would take one on average


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with run_server(WHEEL_18) as started:
        migrate(started.url())
        yield started


@pytest.fixture
def database(server: PostgresServer) -> Iterator[Database]:
    opened = open_database(server.url())
    yield opened
    opened.close()


def hear_of_submission(database: Database) -> float:
    """How long after a submission the wake-up took."""
    StoredTaskIntake(database).submit(make_submissions(1))
    return time.monotonic()


def test_a_submission_wakes_a_listener_at_once(database: Database) -> None:
    with choose_wake_ups(database) as wake_ups:
        wait_until(lambda: wake_ups.is_listening)
        wake_ups.wait(0.1)
        assert not wake_ups.wait(0.1)
        submitted_at = hear_of_submission(database)
        assert wake_ups.wait(5)
        assert time.monotonic() - submitted_at < SOON


def test_a_listener_that_was_cut_off_listens_again(database: Database, server: PostgresServer) -> None:
    with choose_wake_ups(database) as wake_ups:
        wait_until(lambda: wake_ups.is_listening)
        with psycopg.connect(server.url(), autocommit=True) as connection:
            cut = connection.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"
            ).fetchone()
        assert cut == (1,)
        wait_until(lambda: not wake_ups.is_listening)
        assert wait_until(lambda: wake_ups.is_listening) < 10
        wake_ups.wait(0.1)
        submitted_at = hear_of_submission(database)
        assert wake_ups.wait(5)
        assert time.monotonic() - submitted_at < SOON


def test_wake_ups_of_this_process_need_no_database() -> None:
    nowhere = open_database("postgresql://nobody@127.0.0.1:1/nothing")
    with choose_wake_ups(nowhere) as wake_ups:
        assert not wake_ups.wait(0.01)
        wake_ups.wake()
        assert wake_ups.wait(5)
        assert not wake_ups.is_listening


@pytest.mark.skipif(PGBOUNCER is None, reason="PgBouncer is not installed")
def test_behind_a_pooler_in_transaction_mode_a_worker_polls(server: PostgresServer) -> None:
    with run_pooler(server) as port:
        url = f"postgresql://flagrank@127.0.0.1:{port}/postgres"
        database = open_database(url)
        with ListeningWakeUps(database) as wake_ups:
            time.sleep(3)
            assert not wake_ups.is_listening
        database.close()
        process = start(work, url, Work())
        wait_until(lambda: count_open(url) == 0)
        with opened_store(url) as store:
            (task_id,) = store.accept(make_submissions(1))
            assert wait_until(lambda: str(store.status(task_id)) == "succeeded") < 3
        end(process)


def test_a_commit_of_another_process_wakes_who_waits_on_a_file(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    url = embedded_url(tmp_path_factory.mktemp("file") / "flagrank.db")
    migrate(url)
    database = open_database(url)
    with choose_wake_ups(database) as wake_ups:
        wake_ups.wait(0.1)
        assert not wake_ups.wait(0.1)
        _, answers = start_submitting(url)
        assert wake_ups.wait(20)
        committed_at = time.monotonic()
        assert answers.poll(5)
        assert time.monotonic() - committed_at < SOON
    database.close()
