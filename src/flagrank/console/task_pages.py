"""The pages of tasks: a list that moves by itself, one task with its scores, cancel and retry."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from flagrank.console.navigation import TASKS
from flagrank.console.pages import LivePart, Pages
from flagrank.console.task_filters import TIME_LABELS, TaskFilters, follow, make_query, read_filters
from flagrank.triage.errors import TaskNotFound
from flagrank.triage.task import TaskDetail, TaskStatus
from flagrank.triage.task_ports import TaskChanges, TaskReading

PAGE_REPORTS = 100
CANCELLABLE = frozenset({TaskStatus.SCHEDULED, TaskStatus.QUEUED})

_Answer = TypeVar("_Answer")


class ReportResult(msgspec.Struct, frozen=True):
    """A row of a task's results; `position` counts from 1 in the order sent."""

    position: int
    report_id: str
    score: float | None
    priority: float | None


class TaskPages:
    """Reads and changes tasks through the ports, in the threads of `executor`."""

    def __init__(self, pages: Pages, reading: TaskReading, changes: TaskChanges, executor: Executor) -> None:
        self._pages = pages
        self._reading = reading
        self._changes = changes
        self._executor = executor

    def make_routes(self) -> list[Route]:
        """Below the console's own path."""
        return [
            Route("/tasks", self.show_list),
            Route("/tasks/live", self.show_list_live),
            Route("/tasks/{task_id}", self.show_task),
            Route("/tasks/{task_id}/live", self.show_task_live),
            Route("/tasks/{task_id}/cancel", self.ask_to_cancel),
            Route("/tasks/{task_id}/cancel", self.cancel, methods=["POST"]),
            Route("/tasks/{task_id}/retry", self.ask_to_retry),
            Route("/tasks/{task_id}/retry", self.retry, methods=["POST"]),
        ]

    async def show_list(self, request: Request) -> Response:
        """Tasks past and scheduled, newest first."""
        filters = read_filters(request.query_params)
        _, problems = make_query(filters)
        part = None if problems else await self._render_list(filters)
        return self._pages.show(
            request.scope,
            "tasks.html.jinja",
            422 if problems else 200,
            part=part,
            filters=filters,
            statuses=list(TaskStatus),
            time_labels=TIME_LABELS,
            problems={problem.path: problem.detail for problem in problems},
            is_update=False,
        )

    async def show_list_live(self, request: Request) -> Response:
        """The part of the list that moves."""
        filters = read_filters(request.query_params)
        part = await self._render_list(filters)
        seen = request.query_params.get("seen", "")
        return self._pages.show_live(part, seen, "tasks_live.html.jinja", filters=filters)

    async def show_task(self, request: Request) -> Response:
        """One task."""
        detail = await self._find(request)
        first = _read_first(request)
        part = self._render_task(detail, first)
        return self._pages.show(
            request.scope, "task.html.jinja", part=part, task=detail.task, first=first, is_update=False
        )

    async def show_task_live(self, request: Request) -> Response:
        """The part of a task's page that moves."""
        detail = await self._find(request)
        first = _read_first(request)
        part = self._render_task(detail, first)
        seen = request.query_params.get("seen", "")
        return self._pages.show_live(part, seen, "task_live.html.jinja", task=detail.task, first=first)

    async def ask_to_cancel(self, request: Request) -> Response:
        """Ask before a task is cancelled."""
        detail = await self._find(request)
        return self._pages.show(request.scope, "cancel.html.jinja", task=detail.task)

    async def cancel(self, request: Request) -> Response:
        """Cancel it."""
        return await self._change(request, self._changes.cancel)

    async def ask_to_retry(self, request: Request) -> Response:
        """Ask before a task is tried again."""
        detail = await self._find(request)
        return self._pages.show(request.scope, "retry.html.jinja", task=detail.task)

    async def retry(self, request: Request) -> Response:
        """Try it again."""
        return await self._change(request, self._changes.retry)

    async def _change(self, request: Request, change: Callable[[str], TaskDetail]) -> Response:
        detail = await self._ask(partial(change, request.path_params["task_id"]))
        return RedirectResponse(f"{TASKS}/{detail.task.task_id}", 303)

    async def _render_list(self, filters: TaskFilters) -> LivePart:
        query, _ = make_query(filters)
        page = await self._ask(partial(self._reading.list_tasks, query))
        counts = await self._ask(self._reading.count_tasks)
        return self._pages.render_live(
            "task_list.html.jinja",
            tasks=page.tasks,
            counts=counts.by_status,
            filters=filters,
            following=follow(filters, page.next) if page.next else None,
        )

    def _render_task(self, detail: TaskDetail, first: int) -> LivePart:
        results = _order_results(detail)
        return self._pages.render_live(
            "task_facts.html.jinja",
            task=detail.task,
            results=results[first : first + PAGE_REPORTS],
            first=first,
            page_reports=PAGE_REPORTS,
            can_cancel=detail.task.status in CANCELLABLE,
        )

    async def _find(self, request: Request) -> TaskDetail:
        detail = await self._ask(partial(self._reading.read_task, request.path_params["task_id"]))
        if detail is None:
            raise TaskNotFound("No task has this id. Look for it in the list of tasks.")
        return detail

    async def _ask(self, ask: Callable[[], _Answer]) -> _Answer:
        return await asyncio.get_running_loop().run_in_executor(self._executor, ask)


def _read_first(request: Request) -> int:
    text = request.query_params.get("first", "0")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 5 else 0


def _order_results(detail: TaskDetail) -> Sequence[ReportResult]:
    """Highest priority first, as they would be reviewed; without results in the order sent."""
    count = len(detail.report_ids)
    nothing: Sequence[None] = (None,) * count
    scores, priorities = detail.scores or nothing, detail.priorities or nothing
    rows = zip(range(1, count + 1), detail.report_ids, scores, priorities, strict=True)
    results = [ReportResult(*row) for row in rows]
    return sorted(results, key=lambda result: -(result.priority or 0.0))
