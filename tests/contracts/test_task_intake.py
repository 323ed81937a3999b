from concurrent.futures import ThreadPoolExecutor

import pytest

from flagrank.storage.engine import Database
from flagrank.triage.errors import FlagrankError, IdempotencyConflict, StoreRefused
from flagrank.triage.task import Receipt, Submission, TaskPriority, TaskStatus
from tests.task_store import FAR, TaskStore, ago, key, submission


@pytest.fixture
def store(database: Database) -> TaskStore:
    return TaskStore(database)


def submit_one(store: TaskStore, one: Submission) -> Receipt | FlagrankError:
    (receipt,) = store.intake.submit([one])
    return receipt


def test_a_submission_becomes_a_queued_task(store: TaskStore) -> None:
    one = submission(n_reports=3, priority=TaskPriority.HIGH)
    receipt = submit_one(store, one)
    detail = store.reading.read_task(one.task_id)
    assert detail is not None
    assert isinstance(receipt, Receipt)
    assert receipt.is_new
    assert receipt.task == detail.task
    assert detail.report_ids == ("r0", "r1", "r2")
    assert detail.scores is None
    assert detail.priorities is None
    assert (detail.task.status, detail.task.priority) == (TaskStatus.QUEUED, TaskPriority.HIGH)
    assert (detail.task.n_reports, detail.task.attempts) == (3, 0)
    assert detail.task.run_at is None
    assert ago(60) < detail.task.submitted_at <= ago(0)


def test_a_time_to_come_makes_it_scheduled(store: TaskStore) -> None:
    one = submission(run_at=FAR)
    receipt = submit_one(store, one)
    assert isinstance(receipt, Receipt)
    assert receipt.task.status is TaskStatus.SCHEDULED
    assert store.read(one.task_id) == receipt.task
    assert receipt.task.run_at == FAR


def test_a_time_gone_by_makes_it_due_now(store: TaskStore) -> None:
    one = submission(run_at=ago(3_600))
    (earlier,) = store.submit()
    receipt = submit_one(store, one)
    assert isinstance(receipt, Receipt)
    assert receipt.task.status is TaskStatus.QUEUED
    assert [claimed.lease.task_id for claimed in store.claim()] == [earlier, one.task_id]


def test_nothing_is_a_group_too(store: TaskStore) -> None:
    assert store.intake.submit([]) == []


def test_answers_stand_in_the_order_given(store: TaskStore) -> None:
    group = [submission(key=key(f"k{9 - n}") if n % 2 else None) for n in range(10)]
    answers = store.intake.submit(group)
    assert [receipt.task.task_id for receipt in answers if isinstance(receipt, Receipt)] == [
        one.task_id for one in group
    ]


def test_a_group_has_a_row_for_each_of_a_thousand(store: TaskStore) -> None:
    store.submit(1_000)
    assert store.counts() == {"queued": 1_000}


def test_the_same_key_answers_the_same_task(store: TaskStore) -> None:
    first, again = submission(key=key()), submission(key=key())
    store.accept([first])
    receipt = submit_one(store, again)
    assert receipt == Receipt(store.read(first.task_id), is_new=False)
    assert store.reading.read_task(again.task_id) is None
    assert store.counts() == {"queued": 1}


def test_the_same_key_twice_in_one_group_is_one_task(store: TaskStore) -> None:
    group = [submission(key=key()), submission(), submission(key=key())]
    answers = store.intake.submit(group)
    assert all(isinstance(receipt, Receipt) for receipt in answers)
    assert answers[0].task == answers[2].task  # type: ignore[union-attr]
    assert sorted(receipt.is_new for receipt in answers) == [False, True, True]  # type: ignore[union-attr]
    assert store.counts() == {"queued": 2}


def test_a_key_answers_with_its_task_as_it_is_now(store: TaskStore) -> None:
    store.accept([submission(key=key())])
    store.finish(store.claim())
    receipt = submit_one(store, submission(key=key()))
    assert isinstance(receipt, Receipt)
    assert receipt.task.status is TaskStatus.SUCCEEDED


def test_a_key_with_another_body_conflicts_and_leaves_its_neighbours_alone(store: TaskStore) -> None:
    store.accept([submission(key=key())])
    answers = store.intake.submit([submission(), submission(key=key(fingerprint=b"other")), submission()])
    assert [type(answer) for answer in answers] == [Receipt, IdempotencyConflict, Receipt]
    assert store.counts() == {"queued": 3}


def test_each_owner_has_keys_of_its_own(store: TaskStore) -> None:
    store.accept([submission(key=key(owner=owner)) for owner in ("", "a", "b")])
    assert store.counts() == {"queued": 3}


def test_one_that_the_database_refuses_does_not_sink_its_neighbours(store: TaskStore) -> None:
    group = [submission(), submission(key=key("\ud800")), submission(key=key())]
    answers = store.intake.submit(group)
    assert [type(answer) for answer in answers] == [Receipt, StoreRefused, Receipt]
    assert store.reading.read_task(group[1].task_id) is None
    assert store.counts() == {"queued": 2}


def test_fifty_at_once_with_one_key_make_one_task(store: TaskStore) -> None:
    with ThreadPoolExecutor(10) as threads:
        answers = list(threads.map(lambda _: submit_one(store, submission(key=key())), range(50)))
    assert all(isinstance(answer, Receipt) for answer in answers)
    assert len({answer.task.task_id for answer in answers}) == 1  # type: ignore[union-attr]
    assert sum(answer.is_new for answer in answers) == 1  # type: ignore[union-attr]


def test_groups_with_the_same_keys_in_other_orders_do_not_block_each_other(store: TaskStore) -> None:
    names = [f"k{n}" for n in range(40)]

    def submit(turn: int) -> list[Receipt | FlagrankError]:
        return store.intake.submit([submission(key=key(name)) for name in (names, names[::-1])[turn % 2]])

    with ThreadPoolExecutor(8) as threads:
        answers = [answer for group in threads.map(submit, range(16)) for answer in group]
    assert all(isinstance(answer, Receipt) for answer in answers)
    assert store.counts() == {"queued": 40}
