"""Which submissions share a commit, and what each of them hears."""

import asyncio
import threading
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from flagrank.api.group_commit import GROUP_BYTES, GROUP_TASKS, WAITING_BYTES, GroupCommit
from flagrank.api.problems import HttpProblem
from flagrank.triage.errors import FlagrankError, IdempotencyConflict, StoreUnavailable
from flagrank.triage.task import Receipt, Submission, Task, TaskPriority, TaskStatus

NOW = datetime(2026, 1, 5, tzinfo=UTC)


def submission(name: str, size: int = 2) -> Submission:
    return Submission(task_id=name, reports=b" " * size, n_reports=1)


def receipt(name: str) -> Receipt:
    task = Task(
        task_id=name,
        status=TaskStatus.QUEUED,
        priority=TaskPriority.NORMAL,
        n_reports=1,
        submitted_at=NOW,
        run_at=None,
        started_at=None,
        finished_at=None,
        attempts=0,
        model=None,
        error=None,
    )
    return Receipt(task, is_new=True)


class HeldIntake:
    """Remembers each group, and holds the first one until `go` is set."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.begun = threading.Event()
        self.go = threading.Event()

    def submit(self, submissions: Sequence[Submission]) -> list[Receipt | FlagrankError]:
        """Accept all but those that are called `bad`; fail where one is called `lost`."""
        names = [one.task_id for one in submissions]
        self.groups.append(names)
        self.begun.set()
        assert self.go.wait(10)
        if "lost" in names:
            raise StoreUnavailable("The database can't be used now: it does not answer. Try again later.")
        if "broken" in names:
            raise ZeroDivisionError
        return [IdempotencyConflict("Used.") if name == "bad" else receipt(name) for name in names]


def submit_behind(first: str, *following: Submission) -> tuple[HeldIntake, list[Receipt | BaseException]]:
    """What all of them hear, where the first one's commit runs while the others arrive."""
    intake = HeldIntake()

    async def run() -> list[Receipt | BaseException]:
        async with GroupCommit(intake, lambda _: None) as commit:
            waiting = [asyncio.create_task(commit.submit(submission(first)))]
            await asyncio.to_thread(intake.begun.wait)
            waiting += [asyncio.create_task(commit.submit(one)) for one in following]
            await asyncio.sleep(0.05)
            intake.go.set()
            return await asyncio.gather(*waiting, return_exceptions=True)

    return intake, asyncio.run(run())


def test_all_that_arrive_while_one_commit_runs_share_the_next() -> None:
    intake, heard = submit_behind("a", *map(submission, "bcd"))
    assert intake.groups == [["a"], ["b", "c", "d"]]
    assert [one.task.task_id for one in heard if isinstance(one, Receipt)] == ["a", "b", "c", "d"]


def test_who_is_refused_alone_sinks_no_neighbour() -> None:
    _, heard = submit_behind("a", submission("b"), submission("bad"), submission("d"))
    assert [type(one) for one in heard] == [Receipt, Receipt, IdempotencyConflict, Receipt]


@pytest.mark.parametrize(("name", "kind"), [("lost", StoreUnavailable), ("broken", ZeroDivisionError)])
def test_where_a_commit_fails_all_of_it_hear_so_and_the_next_one_is_tried(
    name: str, kind: type[Exception]
) -> None:
    intake, heard = submit_behind(name, submission("b"))
    assert isinstance(heard[0], kind)
    assert isinstance(heard[1], Receipt)
    assert intake.groups == [[name], ["b"]]


def test_a_group_has_a_bound_in_number() -> None:
    intake, heard = submit_behind("a", *(submission(str(number)) for number in range(GROUP_TASKS + 1)))
    assert [len(group) for group in intake.groups] == [1, GROUP_TASKS, 1]
    assert len(heard) == GROUP_TASKS + 2


def test_a_group_has_a_bound_in_size_and_keeps_the_order() -> None:
    half = GROUP_BYTES // 2
    intake, _ = submit_behind("a", *(submission(name, half) for name in "bcd"))
    assert intake.groups == [["a"], ["b", "c"], ["d"]]


def test_more_than_memory_should_hold_is_refused() -> None:
    large = WAITING_BYTES // 2 + 1
    intake, heard = submit_behind("a", submission("b", large), submission("c", large))
    assert isinstance(heard[2], HttpProblem)
    assert (heard[2].status, heard[2].code) == (503, "backlog_full")
    assert intake.groups == [["a"], ["b"]]
