"""Waiting for what processes bring about."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from flagrank.storage.engine import open_database
from flagrank.storage.task_reading import StoredTaskReading
from tests.durability.roles import Process, Work, start, work
from tests.task_store import TaskStore


def wait_until(is_reached: Callable[[], bool], seconds: float = 30) -> float:
    """How long it took."""
    begin = time.monotonic()
    while not is_reached():
        assert time.monotonic() < begin + seconds
        time.sleep(0.005)
    return time.monotonic() - begin


@contextmanager
def opened_store(url: str) -> Iterator[TaskStore]:
    database = open_database(url)
    try:
        yield TaskStore(database)
    finally:
        database.close()


def count_open(url: str) -> int:
    """Tasks that are not final."""
    database = open_database(url)
    counts = StoredTaskReading(database).count_tasks().by_status
    database.close()
    return sum(n for status, n in counts.items() if not status.is_final)


def wait_for_end(url: str, process: Process) -> None:
    """Until the process has ended, or has nothing more to do."""
    wait_until(lambda: not process.is_alive() or count_open(url) == 0)


def finish_all(url: str, rules: Work | None = None) -> None:
    """Let a healthy worker finish everything, and end it by SIGTERM."""
    process = start(work, url, rules or Work(max_attempts=100))
    wait_until(lambda: count_open(url) == 0)
    end(process)


def end(process: Process) -> None:
    process.terminate()
    process.join(10)
    assert process.exitcode == 0


def kill(process: Process) -> None:
    process.kill()
    process.join(10)
    assert process.exitcode == -9
