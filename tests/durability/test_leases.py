"""Leases, as processes that are slow, stopped, killed or poisoned see them."""

import os
import signal
import time
from collections import Counter

from flagrank.triage.ports import ModelIdentity
from flagrank.triage.task import ClaimLimit, TaskQuery
from flagrank.worker.heartbeat import EXIT_STUCK
from tests.durability.audit import check_audit
from tests.durability.patience import (
    count_open,
    end,
    finish_all,
    kill,
    opened_store,
    wait_for_end,
    wait_until,
)
from tests.durability.roles import Work, make_submissions, start, work

SECOND = ModelIdentity("demo", "2")
EVERY = TaskQuery(limit=1_000)


def submit(url: str, n_tasks: int, *, poison: bool = False) -> list[str]:
    with opened_store(url) as store:
        return store.accept(make_submissions(n_tasks, poison=poison))


def count_attempts(url: str) -> int:
    with opened_store(url) as store:
        return sum(task.attempts for task in store.reading.list_tasks(EVERY).tasks)


def wait_for_claim(url: str, before: int) -> int:
    """How many attempts have been begun, once there are more."""
    wait_until(lambda: count_attempts(url) > before)
    return count_attempts(url)


def count_running(url: str) -> int:
    with opened_store(url) as store:
        return store.counts().get("running", 0)


def test_a_worker_holds_what_takes_longer_than_its_lease(url: str) -> None:
    submit(url, 3)
    slow = start(work, url, Work(lease_seconds=1, scoring_seconds=4))
    wait_until(lambda: count_running(url) == 3)
    other = start(work, url, Work(model=SECOND))
    wait_until(lambda: count_open(url) == 0)
    end(slow)
    end(other)
    assert check_audit(url) == 3
    with opened_store(url) as store:
        (task, *_) = store.reading.list_tasks(EVERY).tasks
        assert task.model == ModelIdentity("demo", "1")
        assert task.attempts == 1


def test_a_worker_whose_scoring_hangs_ends_and_others_do_its_work(url: str) -> None:
    submit(url, 3)
    stuck = start(work, url, Work(lease_seconds=1, scoring_seconds=3_600, stuck_seconds=3))
    wait_until(lambda: count_running(url) == 3)
    stuck.join(30)
    assert stuck.exitcode == EXIT_STUCK
    finish_all(url)
    assert check_audit(url) == 3


def test_a_worker_that_was_stopped_past_its_lease_writes_nothing_on_waking(url: str) -> None:
    task_ids = submit(url, 3)
    paused = start(work, url, Work(scoring_seconds=1))
    wait_until(lambda: count_running(url) == 3)
    os.kill(paused.pid or 0, signal.SIGSTOP)
    finish_all(url, Work(model=SECOND))
    with opened_store(url) as store:
        before = [store.reading.read_task(task_id) for task_id in task_ids]
        os.kill(paused.pid or 0, signal.SIGCONT)
        time.sleep(2)
        assert [store.reading.read_task(task_id) for task_id in task_ids] == before
        assert {one.task.model for one in before if one} == {SECOND}
    end(paused)
    assert check_audit(url) == 3


def test_what_a_dead_worker_held_is_done_by_another_within_12_seconds(url: str, deaths: Counter[str]) -> None:
    dead = start(work, url, Work(lease_seconds=10, scoring_seconds=60))
    other = start(work, url, Work(lease_seconds=10, group=ClaimLimit(1, 1)))
    os.kill(other.pid or 0, signal.SIGSTOP)
    submit(url, 3)
    wait_until(lambda: count_running(url) == 3)
    time.sleep(3)  # long enough for a heartbeat
    kill(dead)
    deaths["workers"] += 1
    os.kill(other.pid or 0, signal.SIGCONT)
    assert wait_until(lambda: count_open(url) == 0) < 12
    end(other)
    assert check_audit(url) == 3


def test_two_workers_never_hold_one_task(url: str) -> None:
    workers = [
        start(work, url, Work(lease_seconds=10, group=ClaimLimit(5, 5), scoring_seconds=0.002))
        for _ in range(4)
    ]
    for _ in range(20):
        submit(url, 50)
    wait_until(lambda: count_open(url) == 0)
    for worker in workers:
        end(worker)
    assert check_audit(url) == 1_000
    with opened_store(url) as store:
        assert {task.attempts for task in store.reading.list_tasks(EVERY).tasks} == {1}


def test_a_task_that_kills_its_process_fails_alone(url: str, deaths: Counter[str]) -> None:
    poison, *healthy = submit(url, 20, poison=True)
    rules = Work(lease_seconds=0.5, max_attempts=3)
    while count_open(url):
        process = start(work, url, rules)
        wait_for_end(url, process)
        if process.is_alive():
            end(process)
        else:
            deaths["workers"] += 1
    with opened_store(url) as store:
        assert {str(store.status(task_id)) for task_id in healthy} == {"succeeded"}
        failed = store.read(poison)
    assert str(failed.status) == "failed"
    assert failed.error is not None
    assert failed.error.code == "worker_died"
    assert failed.error.detail == (
        f"Attempt {failed.attempts} failed. The process that scored this task, and nothing else, ended or "
        "did not come to an end. Look at the model and its reports, then retry it."
    )


def test_ten_kills_by_an_operator_fail_no_task(url: str, deaths: Counter[str]) -> None:
    submit(url, 20)
    claimed = 0
    for _ in range(10):
        process = start(work, url, Work(lease_seconds=0.5, scoring_seconds=0.5))
        claimed = wait_for_claim(url, claimed)
        kill(process)
        deaths["workers"] += 1
    finish_all(url, Work())
    assert check_audit(url) == 20


def test_a_lone_task_survives_any_number_of_kills(url: str, deaths: Counter[str]) -> None:
    (task_id,) = submit(url, 1)
    claimed = 0
    for _ in range(6):
        process = start(work, url, Work(lease_seconds=0.5, scoring_seconds=30, max_attempts=2))
        claimed = wait_for_claim(url, claimed)
        kill(process)
        deaths["workers"] += 1
    finish_all(url, Work(max_attempts=2))
    assert check_audit(url) == 1
    with opened_store(url) as store:
        assert store.read(task_id).attempts == 7


def test_a_worker_that_is_told_to_end_finishes_what_it_holds(url: str) -> None:
    submit(url, 3)
    process = start(work, url, Work(scoring_seconds=1))
    wait_until(lambda: count_running(url) == 3)
    end(process)
    assert check_audit(url) == 3
