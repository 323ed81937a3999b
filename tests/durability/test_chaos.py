"""kill -9 of whoever it may be, at any moment, while tasks come in; and of the database server itself."""

import os
import random
import shutil
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from flagrank.storage.engine import embedded_url
from tests.databases import migrate
from tests.durability.audit import check_audit, check_cases, install_audit
from tests.durability.patience import count_open, end, finish_all, kill, opened_store, wait_until
from tests.durability.roles import Process, Work, read_acknowledged, start, start_submitting, work
from tests.postgres_server import WHEEL_18, PostgresServer, run_server

KILLS = 12
WORK = Work(lease_seconds=1, max_attempts=100, scoring_seconds=0.02)


class Crowd:
    """Two workers and a client that submits without end; any of them may be killed and is replaced."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.workers = [start(work, url, WORK) for _ in range(2)]
        self.acknowledged: list[str] = []
        self.client, self._answers = self._start_client()

    def _start_client(self) -> tuple[Process, Connection]:
        return start_submitting(self._url, groups=1_000_000)

    def listen(self) -> None:
        """Take what has been acknowledged, at least one task."""
        wait_until(self._answers.poll)
        self.acknowledged += read_acknowledged(self._answers)

    def kill_client(self) -> None:
        kill(self.client)
        self.acknowledged += read_acknowledged(self._answers)
        self.client, self._answers = self._start_client()

    def kill_worker(self, number: int) -> None:
        kill(self.workers[number])
        self.workers[number] = start(work, self._url, WORK)

    def every(self) -> list[Process]:
        return [*self.workers, self.client]

    def end(self) -> None:
        """Stop submitting, let everything be finished, and end the workers by SIGTERM."""
        self.listen()
        kill(self.client)
        self.acknowledged += read_acknowledged(self._answers)
        wait_until(lambda: count_open(self._url) == 0, seconds=60)
        for worker in self.workers:
            end(worker)


@pytest.fixture
def crowd(url: str) -> Iterator[Crowd]:
    made = Crowd(url)
    yield made
    for process in made.every():
        process.kill()
        process.join()


def check(url: str, acknowledged: list[str]) -> None:
    n_tasks = check_audit(url)
    assert check_cases(url) == n_tasks
    assert len(acknowledged) == len(set(acknowledged)) > 0
    assert n_tasks >= len(acknowledged)
    with opened_store(url) as store:
        assert {str(store.status(task_id)) for task_id in acknowledged} == {"succeeded"}


def test_kills_at_any_moment_lose_and_double_nothing(url: str, crowd: Crowd, deaths: Counter[str]) -> None:
    for victim in range(KILLS):
        time.sleep(random.uniform(0.1, 0.6))  # noqa: S311 - any moment
        if victim % 4 == 3:
            crowd.kill_client()
        else:
            crowd.kill_worker(victim % 2)
        crowd.listen()
    crowd.end()
    deaths["workers"] += KILLS - KILLS // 4
    deaths["submissions"] += KILLS // 4
    check(url, crowd.acknowledged)


def test_all_killed_at_once_lose_and_double_nothing(url: str, crowd: Crowd, deaths: Counter[str]) -> None:
    for _ in range(3):
        crowd.listen()
        time.sleep(0.3)
        for process in crowd.every():
            os.kill(process.pid or 0, signal.SIGKILL)
        crowd.kill_client()
        for number in range(len(crowd.workers)):
            crowd.kill_worker(number)
        deaths["workers"] += 2
        deaths["submissions"] += 1
    crowd.end()
    check(url, crowd.acknowledged)


def test_a_database_server_killed_and_started_again_has_everything(deaths: Counter[str]) -> None:
    with run_server(WHEEL_18) as server:
        url = server.create_database("durable")
        migrate(url)
        install_audit(url)
        crowd = Crowd(url)
        for _ in range(4):
            time.sleep(1.5)
            server.kill()
            time.sleep(0.5)
            start_again(server)
            crowd.listen()
            deaths["database servers"] += 1
        time.sleep(1.5)
        crowd.end()
        check(url, crowd.acknowledged)


def start_again(server: PostgresServer) -> None:
    """Its killed children may hold its memory for a moment."""
    for _ in range(20):
        try:
            server.start()
        except AssertionError:
            time.sleep(0.25)
        else:
            return
    pytest.fail("the server does not start again")


def test_a_copy_of_the_files_of_stopped_writers_has_everything(tmp_path: Path) -> None:
    file = tmp_path / "flagrank.db"
    url = embedded_url(file)
    migrate(url)
    install_audit(url)
    crowd = Crowd(url)
    copies = []
    for number in range(5):
        time.sleep(0.4)
        for process in crowd.every():
            os.kill(process.pid or 0, signal.SIGSTOP)
        crowd.listen()
        copy = tmp_path / f"{number}.db"
        for end_of_name in ("", "-wal"):
            shutil.copy(f"{file}{end_of_name}", f"{copy}{end_of_name}")
        copies.append((copy, list(crowd.acknowledged)))
        for process in crowd.every():
            os.kill(process.pid or 0, signal.SIGCONT)
    crowd.end()
    check(url, crowd.acknowledged)
    for copy, acknowledged in copies:
        with sqlite3.connect(copy) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.close()
        finish_all(embedded_url(copy))
        check(embedded_url(copy), acknowledged)
