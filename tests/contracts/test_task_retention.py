import pytest
from sqlalchemy import func, select

from flagrank.storage.engine import Database
from flagrank.storage.tables import task_reports
from flagrank.triage.task import Receipt
from tests.task_store import FAR, HOUR, TaskStore, key, submission


@pytest.fixture
def store(database: Database) -> TaskStore:
    return TaskStore(database)


def test_only_final_tasks_are_deleted(store: TaskStore) -> None:
    store.submit()
    store.fail(store.claim())
    store.submit()
    store.finish(store.claim())
    store.changes.cancel(store.submit()[0])
    store.submit()
    store.claim()
    store.submit()
    store.accept([submission(run_at=FAR)])
    assert store.retention.delete_finished(0, 100) == 3
    assert store.counts() == {"running": 1, "queued": 1, "scheduled": 1}
    assert store.retention.delete_finished(0, 100) == 0


def test_their_reports_go_with_them(store: TaskStore, database: Database) -> None:
    store.submit(3)
    store.finish(store.claim())
    store.submit()
    store.retention.delete_finished(0, 100)
    with database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(task_reports)) == 1


def test_what_has_not_been_final_for_long_stays(store: TaskStore) -> None:
    store.submit()
    store.finish(store.claim())
    assert store.retention.delete_finished(HOUR, 100) == 0
    assert store.counts() == {"succeeded": 1}


def test_the_oldest_go_first_a_few_at_a_time(store: TaskStore) -> None:
    made = [store.submit()[0] for _ in range(5)]
    for _ in made:
        store.finish(store.claim())
    assert store.retention.delete_finished(0, 2) == 2
    assert [store.reading.read_task(task_id) is None for task_id in made] == [True] * 2 + [False] * 3
    assert store.counts() == {"succeeded": 3}


def test_a_key_is_free_again_once_its_task_is_gone(store: TaskStore) -> None:
    store.accept([submission(key=key())])
    store.finish(store.claim())
    store.retention.delete_finished(0, 1)
    (receipt,) = store.intake.submit([submission(key=key(fingerprint=b"other"))])
    assert isinstance(receipt, Receipt)
    assert receipt.is_new
