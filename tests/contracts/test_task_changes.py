from datetime import datetime

import pytest

from flagrank.storage.engine import Database
from flagrank.triage.errors import TaskConflict, TaskNotFound
from flagrank.triage.task import Failure, TaskStatus
from tests.task_store import ERROR, FAR, TaskStore, ids, submission


@pytest.fixture
def store(database: Database) -> TaskStore:
    return TaskStore(database)


def test_a_queued_task_is_cancelled(store: TaskStore) -> None:
    (task_id,) = store.submit(n_reports=2)
    detail = store.changes.cancel(task_id)
    assert detail.task.status is TaskStatus.CANCELLED
    assert detail.task.finished_at is not None
    assert detail == store.reading.read_task(task_id)
    assert detail.report_ids == ("r0", "r1")
    assert store.claim() == []
    assert store.counts() == {"cancelled": 1}


def test_a_scheduled_task_is_cancelled(store: TaskStore) -> None:
    (task_id,) = store.accept([submission(run_at=FAR)])
    assert store.changes.cancel(task_id).task.status is TaskStatus.CANCELLED


def test_a_running_task_is_not_cancelled(store: TaskStore) -> None:
    (task_id,) = store.submit()
    claimed = store.claim()
    with pytest.raises(TaskConflict, match="running"):
        store.changes.cancel(task_id)
    assert store.finish(claimed) == {task_id}


@pytest.mark.parametrize("change", ["cancel", "retry"])
def test_a_succeeded_or_cancelled_task_stays_as_it_is(store: TaskStore, change: str) -> None:
    (done,) = store.submit()
    store.finish(store.claim())
    (cancelled,) = store.submit()
    store.changes.cancel(cancelled)
    for task_id, word in ((done, "succeeded"), (cancelled, "cancelled")):
        before = store.read(task_id)
        with pytest.raises(TaskConflict, match=word):
            getattr(store.changes, change)(task_id)
        assert store.read(task_id) == before
    assert store.counts() == {"succeeded": 1, "cancelled": 1}


@pytest.mark.parametrize("change", ["cancel", "retry"])
@pytest.mark.parametrize("task_id", ["nope", "01a210d3-e6a3-7226-bde5-6e90e338d5b2"])
def test_an_unknown_task_is_not_found(store: TaskStore, change: str, task_id: str) -> None:
    with pytest.raises(TaskNotFound):
        getattr(store.changes, change)(task_id)


def test_a_failed_task_runs_again_with_all_its_attempts(store: TaskStore) -> None:
    (task_id,) = store.submit()
    store.fail(store.claim())
    assert store.read(task_id).error == ERROR
    detail = store.changes.retry(task_id)
    assert (detail.task.status, detail.task.attempts) == (TaskStatus.QUEUED, 0)
    assert (detail.task.error, detail.task.started_at, detail.task.finished_at) == (None, None, None)
    assert store.counts() == {"queued": 1}
    (claimed,) = store.claim()
    assert (claimed.attempts, claimed.failed_attempts) == (1, 0)
    assert store.finish([claimed]) == {task_id}
    assert store.counts() == {"succeeded": 1}


@pytest.mark.parametrize("run_at", [None, FAR])
def test_a_waiting_task_is_not_retried(store: TaskStore, run_at: datetime | None) -> None:
    (task_id,) = store.accept([submission(run_at=run_at)])
    with pytest.raises(TaskConflict, match="queued" if run_at is None else "scheduled"):
        store.changes.retry(task_id)


def test_a_retried_task_that_processes_died_of_is_a_suspect_still(store: TaskStore) -> None:
    (failed,) = store.submit()
    store.claims.fail([Failure(one.lease, ERROR, None, is_death=True) for one in store.claim()])
    others = store.submit(3)
    store.changes.retry(failed)
    assert [(one.lease.task_id, one.is_suspect) for one in store.claim()] == [(one, False) for one in others]
    assert [(one.lease.task_id, one.is_suspect) for one in store.claim()] == [(failed, True)]


def test_the_worker_of_an_earlier_attempt_changes_nothing(store: TaskStore) -> None:
    store.submit()
    claimed = store.claim()
    store.fail(claimed)
    store.changes.retry(ids(claimed)[0])
    assert store.finish(claimed) == set()
    store.claim()
    assert store.finish(claimed) == set()
    assert store.counts() == {"running": 1}
