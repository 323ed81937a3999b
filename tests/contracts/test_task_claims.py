import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from flagrank.settings import load_default_policy
from flagrank.storage.engine import Database
from flagrank.storage.task_claims import StoredTaskClaims
from flagrank.triage.task import ClaimedTask, ClaimLimit, Failure, Lease, TaskPriority, TaskStatus
from tests.task_store import ANY, ERROR, FAR, HOUR, TaskStore, ago, completion, ids, submission


@pytest.fixture
def store(database: Database) -> TaskStore:
    return TaskStore(database)


def write_nothing(store: TaskStore, claimed: list[ClaimedTask]) -> None:
    """Whatever a worker that lost its leases tries, nothing changes."""
    before = [store.reading.read_task(task_id) for task_id in ids(claimed)]
    leases = [one.lease for one in claimed]
    assert store.claims.extend(leases, HOUR) == set()
    assert store.finish(claimed) == set()
    assert store.fail(claimed) == set()
    assert store.fail(claimed, retry_seconds=0) == set()
    assert store.claims.release(leases) == set()
    assert [store.reading.read_task(task_id) for task_id in ids(claimed)] == before


def test_a_claim_brings_what_was_submitted(store: TaskStore) -> None:
    one = submission(n_reports=2)
    store.accept([one])
    (claimed,) = store.claim()
    task = store.read(one.task_id)
    assert claimed == ClaimedTask(
        lease=Lease(one.task_id, 1),
        reports=one.reports,
        n_reports=2,
        enqueue=True,
        submitted_at=task.submitted_at,
        attempts=1,
        failed_attempts=0,
    )
    assert (task.status, task.attempts) == (TaskStatus.RUNNING, 1)
    assert task.started_at is not None


def test_nothing_due_is_an_empty_claim(store: TaskStore) -> None:
    assert store.claim() == []
    store.accept([submission(run_at=FAR)])
    assert store.claim() == []


def test_task_priority_goes_before_time(store: TaskStore) -> None:
    low, normal, high = (store.submit(2, priority=priority) for priority in reversed(TaskPriority))
    assert ids(store.claim(ClaimLimit(3, 100))) == [*high, normal[0]]
    assert ids(store.claim(ClaimLimit(3, 100))) == [normal[1], *low]


def test_tasks_of_one_priority_go_in_the_order_they_became_due(store: TaskStore) -> None:
    made = [task_id for _ in range(3) for task_id in store.submit(2)]
    assert ids(store.claim()) == made


def test_a_scheduled_task_is_claimed_once_its_time_has_come(store: TaskStore) -> None:
    soon = ago(-0.4)
    (task_id,) = store.accept([submission(run_at=soon)])
    assert store.claim() == []
    time.sleep(0.5)
    assert store.status(task_id) is TaskStatus.QUEUED
    assert ids(store.claim()) == [task_id]


def test_a_claim_ends_at_its_limit_of_tasks(store: TaskStore) -> None:
    made = store.submit(5)
    assert ids(store.claim(ClaimLimit(2, 100))) == made[:2]
    assert ids(store.claim(ClaimLimit(2, 100))) == made[2:4]


def test_a_claim_ends_at_its_limit_of_reports(store: TaskStore) -> None:
    made = store.submit(3, n_reports=4)
    assert ids(store.claim(ClaimLimit(10, 9))) == made[:2]
    assert ids(store.claim(ClaimLimit(10, 9))) == made[2:]


def test_a_task_larger_than_the_limit_is_claimed_alone(store: TaskStore) -> None:
    (large,) = store.submit(n_reports=50)
    (small,) = store.submit()
    assert ids(store.claim(ClaimLimit(10, 9))) == [large]
    assert ids(store.claim(ClaimLimit(10, 9))) == [small]


def test_what_is_claimed_is_not_claimed_again(store: TaskStore) -> None:
    store.submit(3)
    assert len(store.claim()) == 3
    assert store.claim() == []


def test_no_two_workers_hold_one_task(database: Database) -> None:
    made = TaskStore(database).submit(300)
    start = threading.Barrier(6)

    def work() -> list[str]:
        store = TaskStore(database)
        start.wait()
        held: list[str] = []
        while claimed := store.claim(ClaimLimit(7, 100)):
            held += ids(claimed)
            assert store.finish(claimed) == set(ids(claimed))
        return held

    with ThreadPoolExecutor(6) as threads:
        held = [task_id for future in [threads.submit(work) for _ in range(6)] for task_id in future.result()]
    assert sorted(held) == sorted(made)
    assert TaskStore(database).counts() == {"succeeded": 300}


def test_a_completed_task_has_succeeded(store: TaskStore) -> None:
    made = set(store.submit(3))
    assert store.finish(store.claim()) == made
    assert {store.status(task_id) for task_id in made} == {TaskStatus.SUCCEEDED}
    assert store.claim() == []


def test_a_completion_is_written_once(store: TaskStore) -> None:
    store.submit()
    claimed = store.claim()
    store.finish(claimed)
    write_nothing(store, claimed)
    assert store.counts() == {"succeeded": 1}


def test_a_lost_lease_is_claimed_again_under_a_higher_number(store: TaskStore) -> None:
    (task_id,) = store.submit()
    (lost,) = store.claim(lease_seconds=0)
    (again,) = store.claim()
    assert again.lease == Lease(task_id, lost.lease.lease_no + 1)
    assert again.attempts == 2
    assert store.finish([again]) == {task_id}


def test_a_worker_that_lost_its_leases_to_another_changes_nothing(store: TaskStore) -> None:
    store.submit(2)
    lost = store.claim(lease_seconds=0)
    again = [one for _ in range(2) for one in store.claim()]
    write_nothing(store, lost)
    assert store.finish(again) == set(ids(again))
    write_nothing(store, lost)


def test_a_worker_whose_leases_are_over_changes_nothing_even_where_no_one_else_came(store: TaskStore) -> None:
    store.submit(2)
    write_nothing(store, store.claim(lease_seconds=0))


def test_of_several_completions_only_those_still_held_are_written(store: TaskStore) -> None:
    store.submit(2)
    kept, lost = store.claim(lease_seconds=1)
    store.claims.extend([kept.lease], HOUR)
    time.sleep(1.1)
    assert store.finish([kept, lost]) == {kept.lease.task_id}
    assert store.status(lost.lease.task_id) is TaskStatus.RUNNING


def test_an_extended_lease_holds(store: TaskStore) -> None:
    (task_id,) = store.submit()
    (claimed,) = store.claim(lease_seconds=0.5)
    assert store.claims.extend([claimed.lease], HOUR) == {task_id}
    time.sleep(0.6)
    assert store.claim() == []
    assert store.finish([claimed]) == {task_id}


def test_lost_tasks_come_back_in_ever_smaller_groups(store: TaskStore) -> None:
    made = set(store.submit(9))
    assert len(store.lose()) == 9
    assert [len(store.lose()) for _ in range(3)] == [4, 4, 2]  # the last has one lost once and one lost twice
    sizes = []
    while claimed := store.claim():
        sizes.append(len(claimed))
        made -= store.finish(claimed)
    assert max(sizes) <= 2
    assert not made


def test_lost_tasks_go_before_new_ones_and_apart_from_them(store: TaskStore) -> None:
    lost = store.submit(2)
    store.lose()
    new = store.submit(2, priority=TaskPriority.HIGH)
    assert [ids(store.claim()) for _ in range(3)] == [lost[:1], lost[1:], new]


def test_a_task_lost_in_a_group_has_not_failed(store: TaskStore) -> None:
    store.submit(2)
    store.lose()
    (claimed,) = store.claim()
    assert (claimed.attempts, claimed.failed_attempts) == (2, 0)


def test_a_task_that_is_lost_again_and_again_is_a_suspect_and_has_not_failed(store: TaskStore) -> None:
    store.submit()
    assert [store.claim(lease_seconds=0)[0].is_suspect for _ in range(2)] == [False, False]
    for attempts in range(3, 9):
        (claimed,) = store.claim(lease_seconds=0)
        assert (claimed.attempts, claimed.failed_attempts, claimed.is_suspect) == (attempts, 0, True)


def test_a_task_that_its_process_died_of_is_alone_and_a_suspect_the_next_time_too(store: TaskStore) -> None:
    (deadly,) = store.submit()
    for _ in range(2):
        store.lose()
    (suspect,) = store.claim()
    store.submit(2)
    store.claims.fail([Failure(suspect.lease, ERROR, 0, is_death=True)])
    assert [one.is_suspect for one in store.claim()] == [False, False]
    (again,) = store.claim()
    assert (again.lease.task_id, again.failed_attempts, again.is_suspect) == (deadly, 1, True)
    store.claims.fail([Failure(again.lease, ERROR, 0)])
    (cleared,) = store.claim()
    assert (cleared.failed_attempts, cleared.is_suspect) == (2, False)


@pytest.mark.parametrize("size", [2, 20, 256])
def test_of_a_lost_group_the_culprit_ends_alone_and_a_suspect(store: TaskStore, size: int) -> None:
    """One task kills each process that claims it."""
    made = store.submit(size)
    culprit = made[size // 3]
    deaths = 0
    while True:
        claimed = store.claim()
        if culprit in ids(claimed) and claimed[0].is_suspect:
            break
        if culprit in ids(claimed):
            deaths += 1
            store.claims.extend([one.lease for one in claimed], 0)
        else:
            store.finish(claimed)
    assert [(one.lease.task_id, one.failed_attempts) for one in claimed] == [(culprit, 0)]
    assert deaths <= size.bit_length() + 1
    store.fail(claimed)
    while others := store.claim():
        store.finish(others)
    assert store.counts() == {"succeeded": size - 1, "failed": 1}


def test_a_failure_for_good_is_kept(store: TaskStore) -> None:
    (task_id,) = store.submit()
    assert store.fail(store.claim()) == {task_id}
    task = store.read(task_id)
    assert (task.status, task.error, task.attempts) == (TaskStatus.FAILED, ERROR, 1)
    assert task.finished_at is not None
    assert store.claim() == []


def test_a_failed_attempt_is_tried_again_when_its_time_has_come(store: TaskStore) -> None:
    (task_id,) = store.submit()
    assert store.fail(store.claim(), retry_seconds=0.5) == {task_id}
    task = store.read(task_id)
    assert (task.status, task.error, task.finished_at) == (TaskStatus.SCHEDULED, ERROR, None)
    assert store.claim() == []
    time.sleep(0.6)
    (claimed,) = store.claim()
    assert (claimed.attempts, claimed.failed_attempts) == (2, 1)
    store.finish([claimed])
    assert store.read(task_id).error is None


def test_failures_of_both_kinds_are_written_together(store: TaskStore) -> None:
    store.submit(2)
    one, other = store.claim()
    written = store.claims.fail([Failure(one.lease, ERROR, None), Failure(other.lease, ERROR, HOUR)])
    assert written == {one.lease.task_id, other.lease.task_id}
    assert store.counts() == {"failed": 1, "scheduled": 1}


def test_a_released_task_is_as_if_never_claimed(store: TaskStore) -> None:
    (task_id,) = store.submit()
    before = store.read(task_id)
    (claimed,) = store.claim()
    assert store.claims.release([claimed.lease]) == {task_id}
    assert store.read(task_id) == before
    (again,) = store.claim()
    assert (again.attempts, again.failed_attempts) == (1, 0)
    assert again.lease.lease_no > claimed.lease.lease_no


def test_a_released_task_keeps_its_place(store: TaskStore) -> None:
    made = store.submit(3)
    first = store.claim(ClaimLimit(1, 100))
    store.claims.release([first[0].lease])
    assert [task_id for _ in range(2) for task_id in ids(store.claim())] == made


def test_nothing_to_write_writes_nothing(store: TaskStore) -> None:
    assert store.claims.extend([], HOUR) == set()
    assert store.claims.complete([]) == set()
    assert store.claims.fail([]) == set()
    assert store.claims.release([]) == set()


def test_an_idle_worker_knows_how_long_it_may_sleep(store: TaskStore) -> None:
    assert store.claims.seconds_until_due() is None
    store.accept([submission(run_at=ago(-100))])
    assert 90 < (store.claims.seconds_until_due() or 0) <= 100
    store.accept([submission(run_at=ago(-50), priority=TaskPriority.LOW)])
    assert 40 < (store.claims.seconds_until_due() or 0) <= 50
    store.submit()
    assert store.claims.seconds_until_due() == 0
    store.claim(lease_seconds=20)
    assert 10 < (store.claims.seconds_until_due() or 0) <= 20


def test_a_worker_that_looks_behind_now_and_then_finds_what_was_given_back(database: Database) -> None:
    store = TaskStore(database)
    worker = StoredTaskClaims(database, load_default_policy, full_scan_seconds=2)
    (early,) = store.submit()
    (held,) = worker.claim(ANY, HOUR)
    time.sleep(2.1)  # the next claims start behind the first task
    late = store.submit(2)
    assert ids(worker.claim(ANY, HOUR)) == late
    store.claims.release([held.lease])
    assert worker.claim(ANY, HOUR) == []
    time.sleep(2.1)
    assert ids(worker.claim(ANY, HOUR)) == [early]


def test_a_worker_that_claims_in_parts_misses_nothing(database: Database) -> None:
    store = TaskStore(database)
    worker = StoredTaskClaims(database, load_default_policy)
    made = [
        task_id
        for priority in (TaskPriority.LOW, TaskPriority.HIGH, TaskPriority.NORMAL)
        for _ in range(3)
        for task_id in store.submit(5, priority=priority)
    ]
    held: list[str] = []
    while claimed := worker.claim(ClaimLimit(4, 100), HOUR):
        held += ids(claimed)
        if len(held) == 20:
            made += store.submit(3, priority=TaskPriority.HIGH)
        worker.complete([completion(one) for one in claimed])
    assert sorted(held) == sorted(made)
