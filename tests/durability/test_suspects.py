"""The real worker and a task that was lost: it is scored by a child, whose death counts, the worker's not."""

import os
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import msgspec
import pytest

from flagrank.service.publication import publish_package
from flagrank.storage.engine import open_database
from flagrank.storage.model_registry import StoredModelRegistry
from flagrank.triage.audit import make_change
from flagrank.triage.task import Submission, TaskStatus
from tests.api.running_server import FLAGRANK, REPORT, make_environment
from tests.durability.patience import opened_store, wait_until
from tests.durability.slow_package import SLOW, write_slow_package
from tests.durability.small_disks import find_tree
from tests.task_store import TaskStore, identifiers

MAX_ATTEMPTS = 2
LEASE_SECONDS = 5  # long enough for a busy machine
PROGRAM = b"flagrank.service.child_process"


@pytest.fixture
def store(url: str, tmp_path: Path) -> Iterator[TaskStore]:
    """A store whose champion takes minutes for one kind of report."""
    write_slow_package(tmp_path / "package")
    database = open_database(url)
    registry = StoredModelRegistry(database)
    change = make_change("user:ann", None)
    registry.promote(publish_package(registry, tmp_path / "package", change).model.version, change)
    database.close()
    with opened_store(url) as opened:
        yield opened


@contextmanager
def running_worker(url: str) -> Iterator[subprocess.Popen[bytes]]:
    environment = make_environment(
        {"database_url": url, "lease_seconds": LEASE_SECONDS, "max_attempts": MAX_ATTEMPTS}
    )
    process = subprocess.Popen([FLAGRANK, "worker"], env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def submit(store: TaskStore, **changes: object) -> str:
    (task_id,) = identifiers.make()
    reports = msgspec.json.encode([{**REPORT, **changes, "report_id": "r"}])
    return store.accept([Submission(task_id=task_id, reports=reports, n_reports=1)])[0]


def find_scoring(worker: subprocess.Popen[bytes]) -> list[int]:
    """The processes below the worker that have begun to score: such a one asks to be the first to end."""
    _, *children = find_tree(worker.pid)
    return [child for child in children if not has_ended(child) and read(child, "oom_score_adj") == b"1000"]


def read(pid: int, fact: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{fact}").read_bytes().strip()
    except (FileNotFoundError, ProcessLookupError):  # it has ended
        return b""


def wait_for_child(worker: subprocess.Popen[bytes]) -> int:
    wait_until(lambda: bool(find_scoring(worker)), seconds=60)
    return find_scoring(worker)[0]


def has_ended(pid: int) -> bool:
    return PROGRAM not in read(pid, "cmdline")


def wait_for_status(store: TaskStore, task_id: str, *statuses: TaskStatus) -> None:
    wait_until(lambda: store.status(task_id) in statuses, seconds=60)


def wait_for_attempt(store: TaskStore, task_id: str, number: int) -> None:
    wait_until(lambda: store.read(task_id).attempts == number, seconds=60)


@pytest.mark.timeout(400)
def test_deaths_of_workers_count_for_nothing_and_deaths_of_their_children_for_the_task(
    url: str, store: TaskStore, deaths: Counter[str]
) -> None:
    slow = submit(store, **SLOW)
    for attempts in (1, 2):
        with running_worker(url) as worker:
            wait_for_attempt(store, slow, attempts)
            assert store.status(slow) is TaskStatus.RUNNING
        deaths["commands"] += 1
    for attempts in (3, 4, 5):  # more than it may fail
        with running_worker(url) as worker:
            child = wait_for_child(worker)
            assert store.read(slow).attempts == attempts
        deaths["commands"] += 1
        wait_until(partial(has_ended, child))  # with its worker, whatever it was at
    with running_worker(url) as worker:
        for number in range(1, MAX_ATTEMPTS + 1):
            child = wait_for_child(worker)
            healthy = submit(store)
            os.kill(child, signal.SIGKILL)
            deaths["scoring processes"] += 1
            wait_for_status(store, healthy, TaskStatus.SUCCEEDED)
            is_last = number == MAX_ATTEMPTS
            assert (store.status(slow) is TaskStatus.FAILED) == is_last
        assert worker.poll() is None
        failed = store.read(slow)
        assert failed.error is not None
        assert failed.error.code == "worker_died"
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(30) == 0


@pytest.mark.timeout(400)
def test_a_healthy_task_that_was_lost_alone_is_scored_by_a_child_to_the_same_bit(
    url: str, store: TaskStore
) -> None:
    plain, lost = submit(store), submit(store)
    with running_worker(url):
        wait_for_status(store, plain, TaskStatus.SUCCEEDED)
        wait_for_status(store, lost, TaskStatus.SUCCEEDED)
    suspect = submit(store)
    for _ in range(2):
        store.lose()
    with running_worker(url) as worker:
        wait_for_status(store, suspect, TaskStatus.SUCCEEDED)
        assert find_scoring(worker) == []
    details = [store.reading.read_task(task_id) for task_id in (plain, lost, suspect)]
    assert all(detail and detail.scores == details[0].scores for detail in details if details[0])
    assert store.read(suspect).attempts >= 3
