"""Tasks over the storage ports alone: what the database does in a second, without HTTP or a model."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from flagrank.settings import load_default_policy
from flagrank.storage.engine import Database, open_database
from flagrank.storage.task_claims import StoredTaskClaims
from flagrank.storage.task_intake import StoredTaskIntake
from flagrank.storage.task_reading import StoredTaskReading
from flagrank.triage.identifiers import IdentifierSource
from flagrank.triage.ports import ModelIdentity
from flagrank.triage.task import ClaimedTask, ClaimLimit, Completion, Receipt, Submission, TaskQuery

GROUP = 256
LEASE_SECONDS = 10.0
MODEL = ModelIdentity("benchmark", "1")


@dataclass(frozen=True, slots=True)
class Store:
    """The ports of tasks on one database."""

    intake: StoredTaskIntake
    claims: StoredTaskClaims
    reading: StoredTaskReading


@contextmanager
def opened_store(url: str) -> Iterator[Store]:
    """The ports on a database whose tables exist."""
    database: Database = open_database(url)
    try:
        yield Store(
            StoredTaskIntake(database),
            StoredTaskClaims(database, load_default_policy),
            StoredTaskReading(database),
        )
    finally:
        database.close()


def pass_tasks(store: Store, body: bytes, *, group: int, seconds: float) -> float:
    """Accept, claim and complete one-report tasks in groups for so long; how many a second went through."""
    identifiers = IdentifierSource()
    limit = ClaimLimit(tasks=group, reports=group)
    passed = 0
    start = now = time.perf_counter()
    while now - start < seconds:
        _accept(
            store, [Submission(task_id=one, reports=body, n_reports=1) for one in identifiers.make(group)]
        )
        claimed = store.claims.claim(limit, LEASE_SECONDS)
        passed += len(store.claims.complete([_complete(one) for one in claimed]))
        now = time.perf_counter()
    return passed / (now - start)


def time_claims(store: Store, body: bytes, *, tasks: int, group: int) -> list[float]:
    """Accept, claim and complete so many one-report tasks in groups; seconds of each claim."""
    identifiers = IdentifierSource()
    limit = ClaimLimit(tasks=group, reports=group)
    seconds = []
    passed = 0
    while passed < tasks:
        _accept(
            store, [Submission(task_id=one, reports=body, n_reports=1) for one in identifiers.make(group)]
        )
        begin = time.perf_counter()
        claimed = store.claims.claim(limit, LEASE_SECONDS)
        seconds.append(time.perf_counter() - begin)
        passed += len(store.claims.complete([_complete(one) for one in claimed]))
    return seconds


def time_call(call: Callable[[], object], repeats: int) -> list[float]:
    """Seconds of each of so many calls."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return seconds


def look(store: Store) -> None:
    """What `GET /task` reads: a page of tasks, and how many there are of each status."""
    store.reading.list_tasks(TaskQuery())
    store.reading.count_tasks()


def _accept(store: Store, submissions: Sequence[Submission]) -> None:
    receipts = store.intake.submit(submissions)
    if not all(isinstance(receipt, Receipt) for receipt in receipts):
        raise RuntimeError(f"a submission was refused: {receipts}")


def _complete(claimed: ClaimedTask) -> Completion:
    return Completion(claimed.lease, MODEL, [0.5] * claimed.n_reports, [1.0] * claimed.n_reports)
