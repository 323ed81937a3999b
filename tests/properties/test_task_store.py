"""Whatever clients, workers and clocks do in whatever order, the store and a model in plain Python agree."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from flagrank.storage.engine import open_database
from flagrank.triage.errors import IdempotencyConflict, TaskConflict
from flagrank.triage.task import (
    ClaimedTask,
    ClaimLimit,
    Completion,
    Failure,
    GroupMember,
    Receipt,
    TaskPriority,
    TaskQuery,
    TaskStatus,
    cut_group,
    halve_group,
)
from tests.databases import KINDS, make_databases
from tests.task_store import ERROR, FAR, HOUR, MODEL, TaskStore, ids, key, submission

PRIORITIES = list(TaskPriority)
DUE, LATER = 0.0, HOUR  # of a retry


class Expected(msgspec.Struct):
    """What the model knows of a task."""

    task_id: str
    priority: TaskPriority
    n_reports: int
    status: TaskStatus
    due_turn: int  # when it became due, counted in steps of the model
    key: str | None = None
    fingerprint: bytes = b""
    attempts: int = 0
    failed_attempts: int = 0
    group_size: int = 0
    lease_no: int = 0
    is_lost: bool = False
    lost_turn: int = 0
    finished_turn: int = 0
    scores: tuple[float, ...] | None = None


class TaskMachine(RuleBasedStateMachine):
    """Steps of clients and workers; a worker that dies is one whose leases are over at once."""

    urls: ClassVar[Iterator[str]]  # of databases without rows
    claims = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        self.database = open_database(next(self.urls))
        self.store = TaskStore(self.database)
        self.tasks: dict[str, Expected] = {}
        self.turns = count(1)

    def teardown(self) -> None:
        self.database.close()

    @rule(
        sizes=st.lists(st.integers(1, 3), min_size=1, max_size=6),
        priority=st.sampled_from(PRIORITIES),
        is_later=st.booleans(),
    )
    def submit(self, sizes: list[int], priority: TaskPriority, *, is_later: bool) -> None:
        group = [
            submission(n_reports=size, priority=priority, run_at=FAR if is_later else None) for size in sizes
        ]
        turn = next(self.turns)
        for one, task_id in zip(group, self.store.accept(group), strict=True):
            status = TaskStatus.SCHEDULED if is_later else TaskStatus.QUEUED
            self.tasks[task_id] = Expected(task_id, priority, one.n_reports, status, turn)

    @rule(name=st.sampled_from(["k1", "k2"]), fingerprint=st.sampled_from([b"a", b"b"]))
    def submit_with_key(self, name: str, fingerprint: bytes) -> None:
        one = submission(key=key(name, fingerprint=fingerprint))
        (answer,) = self.store.intake.submit([one])
        earlier = next((task for task in self.tasks.values() if task.key == name), None)
        if earlier is None:
            assert isinstance(answer, Receipt)
            assert answer.is_new
            turn = next(self.turns)
            self.tasks[one.task_id] = Expected(
                one.task_id, TaskPriority.NORMAL, 1, TaskStatus.QUEUED, turn, name, fingerprint
            )
        elif earlier.fingerprint == fingerprint:
            assert isinstance(answer, Receipt)
            assert (answer.task.task_id, answer.is_new) == (earlier.task_id, False)
        else:
            assert isinstance(answer, IdempotencyConflict)

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        if not self.tasks:
            return
        task = self.tasks[data.draw(st.sampled_from(sorted(self.tasks)))]
        if task.status in {TaskStatus.SCHEDULED, TaskStatus.QUEUED}:
            self.store.changes.cancel(task.task_id)
            task.status, task.finished_turn = TaskStatus.CANCELLED, next(self.turns)
        else:
            with pytest.raises(TaskConflict):
                self.store.changes.cancel(task.task_id)

    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        if not self.tasks:
            return
        failed = sorted(task.task_id for task in self.tasks.values() if task.status is TaskStatus.FAILED)
        task = self.tasks[data.draw(st.sampled_from(failed or sorted(self.tasks)))]
        if task.status is TaskStatus.FAILED:
            self.store.changes.retry(task.task_id)
            task.status, task.due_turn = TaskStatus.QUEUED, next(self.turns)
            task.attempts = task.failed_attempts = 0
        else:
            with pytest.raises(TaskConflict):
                self.store.changes.retry(task.task_id)

    @rule(
        target=claims,
        tasks=st.integers(1, 6),
        reports=st.integers(1, 12),
        is_lost=st.booleans(),
    )
    def claim(self, tasks: int, reports: int, *, is_lost: bool) -> object:
        limit = ClaimLimit(tasks, reports)
        expected = self.expect_claim(limit)
        claimed = self.store.claim(limit, lease_seconds=0 if is_lost else HOUR)
        assert ids(claimed) == [task.task_id for task in expected]
        turn = next(self.turns)
        was_lost = any(task.is_lost for task in expected)
        is_suspect = len(expected) == 1 and expected[0].group_size == 1
        group_size = len(expected) if was_lost or is_suspect else max(2, len(expected))
        for task, one in zip(expected, claimed, strict=True):
            task.status, task.is_lost, task.lost_turn = TaskStatus.RUNNING, is_lost, turn
            task.lease_no += 1
            task.attempts += 1
            task.group_size = group_size
            assert (one.lease.lease_no, one.attempts, one.failed_attempts, one.n_reports, one.is_suspect) == (
                task.lease_no,
                task.attempts,
                task.failed_attempts,
                task.n_reports,
                is_suspect,
            )
        return multiple(claimed) if claimed else multiple()

    def expect_claim(self, limit: ClaimLimit) -> list[Expected]:
        """What a claim brings: lost tasks first, in smaller groups; else due ones by priority."""
        lost = sorted(
            (task for task in self.tasks.values() if task.status is TaskStatus.RUNNING and task.is_lost),
            key=lambda task: (task.lost_turn, task.task_id),
        )[: limit.tasks]
        if lost:
            members = [GroupMember(task.n_reports, halve_group(task.group_size)) for task in lost]
            return lost[: cut_group(members, limit)]
        due = sorted(
            (task for task in self.tasks.values() if task.status is TaskStatus.QUEUED),
            key=lambda task: (PRIORITIES.index(task.priority), task.due_turn, task.task_id),
        )[: limit.tasks]
        return due[: cut_group([GroupMember(task.n_reports, task.group_size or None) for task in due], limit)]

    def still_held(self, claimed: Sequence[ClaimedTask]) -> set[str]:
        return {
            one.lease.task_id
            for one in claimed
            if (task := self.tasks.get(one.lease.task_id)) is not None
            and task.status is TaskStatus.RUNNING
            and not task.is_lost
            and task.lease_no == one.lease.lease_no
        }

    @rule(claimed=claims)
    def complete(self, claimed: list[ClaimedTask]) -> None:
        held = self.still_held(claimed)
        scores = {one.lease.task_id: tuple(0.5 / (n + 1) for n in range(one.n_reports)) for one in claimed}
        written = self.store.claims.complete(
            [
                Completion(one.lease, MODEL, scores[one.lease.task_id], scores[one.lease.task_id])
                for one in claimed
            ]
        )
        assert written == held
        turn = next(self.turns)
        for task_id in held:
            task = self.tasks[task_id]
            task.status, task.finished_turn, task.scores = TaskStatus.SUCCEEDED, turn, scores[task_id]

    @rule(claimed=claims, retry_seconds=st.sampled_from([None, DUE, LATER]), is_death=st.booleans())
    def fail(self, claimed: list[ClaimedTask], retry_seconds: float | None, *, is_death: bool) -> None:
        held = self.still_held(claimed)
        failures = [Failure(one.lease, ERROR, retry_seconds, is_death) for one in claimed]
        assert self.store.claims.fail(failures) == held
        turn = next(self.turns)
        for task_id in held:
            task = self.tasks[task_id]
            task.failed_attempts += 1
            task.group_size = int(is_death)
            task.finished_turn = task.due_turn = turn
            task.status = {None: TaskStatus.FAILED, DUE: TaskStatus.QUEUED, LATER: TaskStatus.SCHEDULED}[
                retry_seconds
            ]

    @rule(claimed=claims)
    def release(self, claimed: list[ClaimedTask]) -> None:
        held = self.still_held(claimed)
        assert self.store.claims.release([one.lease for one in claimed]) == held
        for task_id in held:
            self.tasks[task_id].status = TaskStatus.QUEUED
            self.tasks[task_id].attempts -= 1

    @rule(claimed=claims, is_lost=st.booleans())
    def extend(self, claimed: list[ClaimedTask], *, is_lost: bool) -> None:
        held = self.still_held(claimed)
        leases = [one.lease for one in claimed]
        assert self.store.claims.extend(leases, lease_seconds=0 if is_lost else HOUR) == held
        turn = next(self.turns)
        for task_id in held:
            self.tasks[task_id].is_lost, self.tasks[task_id].lost_turn = is_lost, turn

    @rule(limit=st.integers(1, 4))
    def delete_finished(self, limit: int) -> None:
        final = sorted(
            (task for task in self.tasks.values() if task.status.is_final),
            key=lambda task: (task.finished_turn, task.task_id),
        )
        assert self.store.retention.delete_finished(0, limit) == len(final[:limit])
        for task in final[:limit]:
            del self.tasks[task.task_id]

    @invariant()
    def counts_add_up(self) -> None:
        expected = dict.fromkeys(TaskStatus, 0)
        for task in self.tasks.values():
            expected[task.status] += 1
        assert self.store.reading.count_tasks().by_status == expected

    @invariant()
    def every_task_is_listed_once_as_the_model_has_it(self) -> None:
        page = self.store.reading.list_tasks(TaskQuery(limit=1_000))
        assert page.next is None
        assert sorted((task.task_id, task.status, task.attempts) for task in page.tasks) == sorted(
            (task.task_id, task.status, task.attempts) for task in self.tasks.values()
        )
        succeeded = [task for task in self.tasks.values() if task.status is TaskStatus.SUCCEEDED]
        for task in succeeded[-2:]:
            detail = self.store.reading.read_task(task.task_id)
            assert detail is not None
            assert detail.scores == task.scores


@contextmanager
def machine_on(kind: str) -> Iterator[type[TaskMachine]]:
    with TemporaryDirectory() as folder, make_databases(kind, Path(folder)) as make_url:
        yield type("Machine", (TaskMachine,), {"urls": iter(make_url, "")})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.timeout(600)
def test_the_store_is_the_model(kind: str) -> None:
    examples = 60 if kind == "sqlite" else 12
    with machine_on(kind) as machine:
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=examples, stateful_step_count=40, suppress_health_check=list(HealthCheck)
            ),
        )
