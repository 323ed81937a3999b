"""The task routes in OpenAPI: parameters, bodies, answers and problems, each with an example."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias

from flagrank.api.problems import RETRY_SECONDS, HttpProblem, make_backlog_problem
from flagrank.api.query import LONGEST_WAIT_SECONDS, MAX_KEY_CHARS, read_time, read_wait
from flagrank.api.report_description import JsonSchema
from flagrank.api.tasks import NO_TASK
from flagrank.triage.errors import (
    FlagrankError,
    IdempotencyConflict,
    StoreUnavailable,
    TaskConflict,
    TaskNotFound,
)
from flagrank.triage.task import DEFAULT_PAGE, MAX_PAGE, TaskPriority, TaskStatus

DescribeProblem: TypeAlias = Callable[[str, FlagrankError], JsonSchema]

_STATUSES = [str(status) for status in TaskStatus]
_TASK_ID = "0199c6a1-64a0-7c5e-9a0d-3f1b5d0e7a21"
_TIME = {"type": "string", "format": "date-time"}
_TIME_OR_NULL = {"type": ["string", "null"], "format": "date-time"}
_NUMBERS_OR_NULL = {"type": ["array", "null"], "items": {"type": "number"}}

_LISTED_EXAMPLE: dict[str, Any] = {
    "task_id": _TASK_ID,
    "status": "succeeded",
    "priority": "normal",
    "n_reports": 2,
    "submitted_at": "2026-01-05T09:00:00.120381Z",
    "run_at": None,
    "started_at": "2026-01-05T09:00:00.131077Z",
    "finished_at": "2026-01-05T09:00:00.139456Z",
    "attempts": 1,
    "model": {"name": "report-priority", "version": "3"},
    "error": None,
}
_SHOWN_EXAMPLE = _LISTED_EXAMPLE | {
    "report_ids": ["r-1001", "r-1002"],
    "scores": [0.0127, 0.8312],
    "priorities": [0.1753, 39.27],
}
_ACCEPTED_EXAMPLE = {
    "task_id": _TASK_ID,
    "status": "queued",
    "n_reports": 2,
    "submitted_at": "2026-01-05T09:00:00.120381Z",
    "run_at": None,
}
_LIST_EXAMPLE = {
    "tasks": [_LISTED_EXAMPLE],
    "counts": dict.fromkeys(_STATUSES, 0) | {"succeeded": 1},
    "next": None,
}

_LISTED: dict[str, JsonSchema] = {
    "task_id": {"type": "string", "format": "uuid"},
    "status": {"type": "string", "enum": _STATUSES},
    "priority": {"type": "string", "enum": [str(priority) for priority in TaskPriority]},
    "n_reports": {"type": "integer", "minimum": 1},
    "submitted_at": _TIME,
    "run_at": _TIME_OR_NULL | {"description": "when it becomes due, where that was asked for"},
    "started_at": _TIME_OR_NULL | {"description": "of the latest attempt"},
    "finished_at": _TIME_OR_NULL,
    "attempts": {"type": "integer", "minimum": 0},
    "model": {
        "type": ["object", "null"],
        "description": "which model scored it",
        "required": ["name", "version"],
        "properties": {"name": {"type": "string"}, "version": {"type": "string"}},
    },
    "error": {
        "type": ["object", "null"],
        "description": "why it failed, or its latest attempt did",
        "required": ["code", "title", "detail"],
        "properties": {name: {"type": "string"} for name in ("code", "title", "detail")},
    },
}
CHALLENGER_PART: JsonSchema = {
    "type": "object",
    "description": "only where a challenger scored some of the reports: which one, and the indices of these",
    "required": ["name", "version", "reports"],
    "properties": {
        "name": {"type": "string"},
        "version": {"type": "string"},
        "reports": {"type": "array", "items": {"type": "integer", "minimum": 0}},
    },
}
_SHOWN: dict[str, JsonSchema] = _LISTED | {
    "report_ids": {"type": "array", "items": {"type": "string"}, "description": "in the order sent"},
    "scores": _NUMBERS_OR_NULL | {"description": "once it has succeeded, in the order sent"},
    "priorities": _NUMBERS_OR_NULL | {"description": "the same"},
}


def _object(
    title: str,
    properties: Mapping[str, JsonSchema],
    example: object,
    sometimes: Mapping[str, JsonSchema] = MappingProxyType({}),
) -> JsonSchema:
    return {
        "type": "object",
        "title": title,
        "required": list(properties),
        "properties": {**properties, **sometimes},
        "examples": [example],
    }


SCHEMAS: dict[str, JsonSchema] = {
    "Accepted": _object("Accepted", {name: _LISTED[name] for name in _ACCEPTED_EXAMPLE}, _ACCEPTED_EXAMPLE),
    "Task": _object("Task", _SHOWN, _SHOWN_EXAMPLE, {"challenger": CHALLENGER_PART}),
    "ListedTask": _object("ListedTask", _LISTED, _LISTED_EXAMPLE),
    "TaskList": _object(
        "TaskList",
        {
            "tasks": {"type": "array", "items": {"$ref": "#/components/schemas/ListedTask"}},
            "counts": {
                "type": "object",
                "description": "how many tasks there are of each status, whatever the filters",
                "required": _STATUSES,
                "properties": {status: {"type": "integer", "minimum": 0} for status in _STATUSES},
            },
            "next": {"type": ["string", "null"], "description": "the next page's `cursor`; null at the end"},
        },
        _LIST_EXAMPLE,
    ),
}


def _query(name: str, described: JsonSchema, text: str, example: object) -> JsonSchema:
    return {"name": name, "in": "query", "description": text, "schema": described, "example": example}


_CURSOR = _query(
    "cursor",
    {"type": "string", "format": "cursor", "pattern": "^[A-Za-z0-9_-]{32}$"},
    "The last page's `next`.",
    "AAZGorIe4A0BmcahZKB8XpoNPxtdDnoh",
)
_ID = {
    "name": "task_id",
    "in": "path",
    "required": True,
    "description": "The task's id.",
    "schema": {"type": "string", "format": "uuid"},
    "example": _TASK_ID,
}
_SUBMISSION_PARAMETERS: list[JsonSchema] = [
    _query("run_at", _TIME, "When to score them; the offset's + is written %2B.", "2027-01-05T10:00:00Z"),
    _query("priority", _LISTED["priority"], "Of the task: which waiting task goes first.", "normal"),
    _query("enqueue", {"type": "boolean"}, "false: only score, for no review queue.", example=True),
    {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "The same key, body and query again answers the same task, with 200.",
        "schema": {"type": "string", "pattern": f"^[ -~]{{1,{MAX_KEY_CHARS}}}$"},
    },
]
_LIST_PARAMETERS: list[JsonSchema] = [
    _query("status", _LISTED["status"], "Only tasks of this status.", "queued"),
    _query("since", _TIME, "Submitted at this time or later.", "2026-01-05T00:00:00Z"),
    _query("until", _TIME, "Submitted before this time.", "2099-01-06T00:00:00Z"),
    _query(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": DEFAULT_PAGE},
        "How many on a page.",
        DEFAULT_PAGE,
    ),
    _CURSOR,
]
_WAIT = _query(
    "wait",
    {"type": "number", "minimum": 0, "maximum": LONGEST_WAIT_SECONDS},
    "Hold the answer for so many seconds, or until the task is final.",
    1,
)


def describe_task_paths(
    request: JsonSchema, shared: Mapping[str, JsonSchema], describe: DescribeProblem
) -> dict[str, JsonSchema]:
    """The paths of tasks; `request` is the body of reports, `shared` the problems of whatever takes one."""
    store = StoreUnavailable("The database can't be used now: it does not answer. Try again later.")
    looking = {
        **{status: shared[status] for status in ("400", "401", "403", "408")},
        "422": describe("A query value breaks its rule.", _refuse(read_wait, {"wait": "61"})),
        "503": describe("The store does not answer.", store),
    }
    no_task = {"404": describe("No task has this id.", TaskNotFound(NO_TASK))}
    sentence = "The task is running and can't be cancelled. Only scheduled and queued ones can."
    changing = (
        looking | no_task | {"409": describe("Its status does not allow this.", TaskConflict(sentence))}
    )
    task = _answer("The task.", "Task", _SHOWN_EXAMPLE)
    lister = _describe_operation("list_tasks", _LIST_PARAMETERS, looking)
    lister["responses"]["200"] = _answer("A page of tasks.", "TaskList", _LIST_EXAMPLE)
    return {
        "/predict": {"post": _describe_submission(request, shared, describe)},
        "/task": {"get": lister},
        "/task/{task_id}": {
            "get": _describe_operation("read_task", [_ID, _WAIT], {"200": task} | looking | no_task)
        },
        "/task/{task_id}/cancel": {
            "post": _describe_operation("cancel_task", [_ID], {"200": task} | changing)
        },
        "/task/{task_id}/retry": {"post": _describe_operation("retry_task", [_ID], {"202": task} | changing)},
    }


_WORDS = {
    "list_tasks": (
        "List tasks, newest first",
        "All tasks, past and scheduled. Walking by `cursor` shows each task once.",
    ),
    "read_task": ("Look at a task", "Where it stands, and its scores once it has succeeded."),
    "cancel_task": ("Cancel a scheduled or queued task", "It will never be scored."),
    "retry_task": ("Try a failed task again", "It gets all its attempts once more."),
}


def _describe_operation(
    name: str, parameters: Sequence[JsonSchema], responses: Mapping[str, JsonSchema]
) -> dict[str, Any]:
    summary, description = _WORDS[name]
    return {
        "tags": ["tasks"],
        "summary": summary,
        "description": description,
        "operationId": name,
        "parameters": list(parameters),
        "responses": dict(responses),
    }


def _describe_submission(
    request: JsonSchema, shared: Mapping[str, JsonSchema], describe: DescribeProblem
) -> JsonSchema:
    used = IdempotencyConflict(
        "The Idempotency-Key was sent before with another body or query. Send a new key with a new request."
    )
    full = make_backlog_problem(
        "1,000,000 tasks wait already, the most that this server allows. Send the request again later."
    )
    again = {"oneOf": [{"$ref": "#/components/schemas/Accepted"}, {"$ref": "#/components/schemas/TaskList"}]}
    examples = {
        "again": {"summary": "The task that this key has made before", "value": _ACCEPTED_EXAMPLE},
        "list": {"summary": "All tasks", "value": _LIST_EXAMPLE},
    }
    return {
        "tags": ["tasks"],
        "summary": "Score reports later, durably",
        "description": "The reports are on disk before the answer comes: they will be scored, whatever dies. "
        "Without a body, a query and an `Idempotency-Key` it answers what `GET /task` answers.",
        "operationId": "predict_later",
        "parameters": _SUBMISSION_PARAMETERS,
        "requestBody": request,
        "responses": {
            "200": {
                "description": "The task of this `Idempotency-Key`, or the list where nothing was sent.",
                "content": {"application/json": {"schema": again, "examples": examples}},
            },
            "202": _answer("Accepted: the task will be scored.", "Accepted", _ACCEPTED_EXAMPLE),
            **shared,
            "409": describe("The key was used for another request.", used),
            "422": describe(
                "A field of a report, a query value or a header value breaks its rule.",
                _refuse(lambda query: read_time(query, "run_at"), {"run_at": "2027-01-05T10:00:00 01:00"}),
            ),
            "503": describe(
                f"Too much waits, the store does not answer, or no model is loaded; `Retry-After` says "
                f"{RETRY_SECONDS} s.",
                full,
            ),
        },
    }


def _answer(description: str, schema: str, example: object) -> JsonSchema:
    content = {"schema": {"$ref": f"#/components/schemas/{schema}"}, "example": example}
    return {"description": description, "content": {"application/json": content}}


def _refuse(read: Callable[[Mapping[str, str]], object], query: Mapping[str, str]) -> HttpProblem:
    try:
        read(query)
    except HttpProblem as problem:
        return problem
    raise AssertionError(query)
