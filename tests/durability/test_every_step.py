"""kill -9 at every step of a submission and of a worker's turn."""

from collections import Counter
from itertools import count

from tests.durability.audit import check_audit, check_cases
from tests.durability.patience import finish_all, opened_store, wait_for_end
from tests.durability.roles import (
    Death,
    Work,
    make_submissions,
    read_acknowledged,
    start,
    start_submitting,
    work,
)


def test_a_submission_killed_at_any_step_loses_nothing_acknowledged(url: str, deaths: Counter[str]) -> None:
    acknowledged = []
    for step in count(1):
        process, answers = start_submitting(url, death=Death(step))
        process.join()
        acknowledged += read_acknowledged(answers)
        if process.exitcode == 0:
            break
        assert process.exitcode == -9
    assert step > 8
    assert len(acknowledged) == 6  # the last group, and the one whose sender died after its answer
    finish_all(url)
    assert check_audit(url) == check_cases(url) >= len(acknowledged)
    with opened_store(url) as store:
        assert {str(store.status(task_id)) for task_id in acknowledged} == {"succeeded"}
    deaths["submissions"] += step - 1


def test_a_worker_killed_at_any_step_of_its_turn_harms_no_task(url: str, deaths: Counter[str]) -> None:
    n_tasks = 0
    for step in count(1):
        with opened_store(url) as store:
            n_tasks += len(store.accept(make_submissions(4)))
        # One task may be among what dies many times; how often is the subject of other tests.
        rules = Work(dies_at=Death(step), lease_seconds=0.3, max_attempts=100, has_children=False)
        process = start(work, url, rules)
        wait_for_end(url, process)
        process.terminate()
        process.join()
        if process.exitcode == 0:  # it came to the end of its turn, and had nothing more to do
            break
        assert process.exitcode == -9
    assert step > 16
    finish_all(url)
    assert check_audit(url) == check_cases(url) == n_tasks
    deaths["workers"] += step - 1
