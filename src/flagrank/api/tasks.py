"""`GET /task/<id>`, `GET /task`, cancel and retry: looking at tasks, and changing their fate."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from datetime import datetime
from functools import partial
from typing import TypeVar

import msgspec
from msgspec import UNSET, UnsetType
from starlette.types import Receive, Scope

from flagrank.api.query import LIST_NAMES, read_query, read_task_query, read_wait
from flagrank.api.reply import Reply, encode_json
from flagrank.api.request_body import unless_gone
from flagrank.api.task_waiting import FinalWatch
from flagrank.triage.errors import TaskNotFound
from flagrank.triage.lineup import ChallengerPart
from flagrank.triage.ports import ModelIdentity
from flagrank.triage.task import (
    Task,
    TaskDetail,
    TaskError,
    TaskPriority,
    TaskQuery,
    TaskStatus,
    encode_cursor,
)
from flagrank.triage.task_ports import TaskChanges, TaskReading

TASKS = "/task"
NO_TASK = "No task has this id. Ask GET /task for those that there are."

_Answer = TypeVar("_Answer")


class ListedTask(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A task in a list."""

    task_id: str
    status: TaskStatus
    priority: TaskPriority
    n_reports: int
    submitted_at: datetime
    run_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    attempts: int
    model: ModelIdentity | None
    error: TaskError | None


class ShownTask(ListedTask, frozen=True, kw_only=True, gc=False):
    """A task by itself, with the ids of its reports and their results in the order sent."""

    report_ids: tuple[str, ...]
    scores: tuple[float, ...] | None
    priorities: tuple[float, ...] | None
    challenger: ChallengerPart | UnsetType = UNSET


class TaskList(msgspec.Struct, frozen=True):
    """A page of tasks, newest first; `counts` are of all tasks, whatever the filters."""

    tasks: list[ListedTask]
    counts: Mapping[TaskStatus, int]
    next: str | None


class TaskRoutes:
    """What is answered about tasks; the store is asked in `executor`."""

    def __init__(
        self, reading: TaskReading, changes: TaskChanges, watch: FinalWatch, executor: Executor
    ) -> None:
        self._reading = reading
        self._changes = changes
        self._watch = watch
        self._executor = executor

    async def show(self, scope: Scope, receive: Receive) -> Reply:
        """`GET /task/<id>`; with `?wait=` once it is final or the time is over, or the client has gone."""
        wait = read_wait(read_query(scope, {"wait"}))
        task_id = _read_id(scope)
        detail = await self._find(task_id)
        if wait and not detail.task.status.is_final:
            await unless_gone(self._watch.wait(detail.task.task_id, wait), receive)
            detail = await self._find(task_id)
        return Reply(encode_json(show_task(detail)))

    async def list(self, scope: Scope, _receive: Receive) -> Reply:
        """`GET /task`."""
        return await self._list(read_task_query(read_query(scope, LIST_NAMES)))

    async def list_newest(self) -> Reply:
        """What `GET /task` answers without a query."""
        return await self._list(TaskQuery())

    async def cancel(self, scope: Scope, _receive: Receive) -> Reply:
        """`POST /task/<id>/cancel`."""
        read_query(scope, ())
        return Reply(encode_json(show_task(await self._ask(partial(self._changes.cancel, _read_id(scope))))))

    async def retry(self, scope: Scope, _receive: Receive) -> Reply:
        """`POST /task/<id>/retry`."""
        read_query(scope, ())
        detail = await self._ask(partial(self._changes.retry, _read_id(scope)))
        location = (b"location", f"{TASKS}/{detail.task.task_id}".encode())
        return Reply(encode_json(show_task(detail)), 202, [location])

    async def _find(self, task_id: str) -> TaskDetail:
        detail = await self._ask(partial(self._reading.read_task, task_id))
        if detail is None:
            raise TaskNotFound(NO_TASK)
        return detail

    async def _list(self, query: TaskQuery) -> Reply:
        return Reply(await self._ask(partial(self._compose_list, query)))

    def _compose_list(self, query: TaskQuery) -> bytes:
        page = self._reading.list_tasks(query)
        counts = self._reading.count_tasks()
        following = None if page.next is None else encode_cursor(page.next)
        return encode_json(TaskList([_list_task(task) for task in page.tasks], counts.by_status, following))

    async def _ask(self, ask: Callable[[], _Answer]) -> _Answer:
        return await asyncio.get_running_loop().run_in_executor(self._executor, ask)


def show_task(detail: TaskDetail) -> ShownTask:
    """A task as it is shown by itself."""
    fields = msgspec.structs.asdict(detail.task)
    return ShownTask(
        **fields,
        report_ids=detail.report_ids,
        scores=detail.scores,
        priorities=detail.priorities,
        challenger=detail.challenger or UNSET,
    )


def _list_task(task: Task) -> ListedTask:
    return ListedTask(**msgspec.structs.asdict(task))


def _read_id(scope: Scope) -> str:
    path: str = scope["path"]
    return path.split("/")[2]
