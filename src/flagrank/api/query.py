"""Query values and header values, read once into what they mean."""

import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import parse_qsl

from starlette.types import Scope

from flagrank.api.problems import HttpProblem
from flagrank.triage.errors import FieldProblem, shorten
from flagrank.triage.feature_schema import MAX_CATEGORY_CHARS, is_plain_text
from flagrank.triage.review import (
    DEFAULT_QUEUE_PAGE,
    MAX_NAME_CHARS,
    MAX_QUEUE_PAGE,
    CaseStatus,
    QueueQuery,
    decode_queue_cursor,
)
from flagrank.triage.task import DEFAULT_PAGE, MAX_PAGE, TaskPriority, TaskQuery, TaskStatus, decode_cursor
from flagrank.triage.times import parse_time

LONGEST_WAIT_SECONDS = 60.0
MAX_KEY_CHARS = 128

_SHOWN_CHARS = 40
_NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{1,400})?([eE][+-]?[0-9]{1,3})?")
_VERSION = re.compile(r"[0-9]{1,10}")
_KEY = re.compile(rb"[\x20-\x7e]{1,128}")
_PRIORITIES = {str(priority): priority for priority in TaskPriority}
LISTED_CASES = {str(status): status for status in (CaseStatus.OPEN, CaseStatus.ESCALATED)}
_STATUSES = {str(status): status for status in TaskStatus}
_FLAGS = {"true": True, "false": False}

_Value = TypeVar("_Value")


def read_query(scope: Scope, known: Collection[str]) -> dict[str, str]:
    """The values of a request's query by name; raises `HttpProblem` for one unknown or given twice."""
    text: str = scope["query_string"].decode("latin-1")
    if not text:
        return {}
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=100)
    except ValueError as error:  # not UTF-8, or far too many
        raise HttpProblem(
            422,
            "invalid_query",
            "The query is no list of names and values in UTF-8. Write name=value&name=value.",
        ) from error
    values: dict[str, str] = {}
    for name, value in pairs:
        if name not in known:
            raise _refuse(
                shorten(name, _SHOWN_CHARS), f"is unknown here. Known are {', '.join(sorted(known))}."
            )
        if name in values:
            raise _refuse(name, "is given twice. Give it once.")
        values[name] = value
    return values


def read_time(query: Mapping[str, str], name: str) -> datetime | None:
    """A time in UTC, or None where the query does not have it."""
    text = query.get(name)
    if text is None:
        return None
    try:
        return parse_time(text).astimezone(UTC)
    except (ValueError, IndexError) as error:
        advice = "expected an RFC 3339 time with offset, such as 2027-01-05T10:00:00Z."
        if " " in text:
            advice += " In a query + means a space: write +01:00 as %2B01:00."
        raise _refuse_value(name, text, advice) from error


def read_version(query: Mapping[str, str]) -> int | None:
    """The number of a policy, or None where the query does not have it."""
    text = query.get("version")
    if text is not None and not _VERSION.fullmatch(text):
        raise _refuse_value("version", text, "expected a whole number, such as 2.")
    return None if text is None else int(text)


def read_explain(scope: Scope) -> bool:
    """Whether scores are to be explained; the query's other names, and what is no UTF-8, are passed over."""
    pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    named = [pair for pair in pairs if pair[0] == "explain"]
    if len(named) > 1:
        raise _refuse("explain", "is given twice. Give it once.")
    return _read_word(dict(named), "explain", _FLAGS, default=False)


def read_priority(query: Mapping[str, str]) -> TaskPriority:
    """The task priority asked for."""
    return _read_word(query, "priority", _PRIORITIES, TaskPriority.NORMAL)


def read_enqueue(query: Mapping[str, str]) -> bool:
    """Whether the reports enter the review queue."""
    return _read_word(query, "enqueue", _FLAGS, default=True)


def read_wait(query: Mapping[str, str]) -> float:
    """How many seconds to hold the answer; 0 where nothing is said."""
    text = query.get("wait", "0")
    seconds = float(text) if _NUMBER.fullmatch(text) else -1.0
    if not 0 <= seconds <= LONGEST_WAIT_SECONDS:
        raise _refuse_value("wait", text, f"expected seconds from 0 to {LONGEST_WAIT_SECONDS:g}.")
    return seconds


LIST_NAMES = frozenset({"status", "since", "until", "limit", "cursor"})


def read_task_query(query: Mapping[str, str]) -> TaskQuery:
    """Which tasks to list; raises `HttpProblem`, or `InvalidCursor`."""
    status = _read_word(query, "status", _STATUSES, None)
    cursor = query.get("cursor")
    return TaskQuery(
        statuses=frozenset() if status is None else frozenset({status}),
        since=read_time(query, "since"),
        until=read_time(query, "until"),
        limit=_read_limit(query, MAX_PAGE, DEFAULT_PAGE),
        cursor=None if cursor is None else decode_cursor(cursor),
    )


QUEUE_NAMES = frozenset({"status", "abuse_type", "reason", "leased_by", "limit", "cursor"})


def read_queue_query(query: Mapping[str, str]) -> QueueQuery:
    """Which cases to list; raises `HttpProblem`, or `InvalidCursor`."""
    cursor = query.get("cursor")
    return QueueQuery(
        status=_read_word(query, "status", LISTED_CASES, CaseStatus.OPEN),
        abuse_type=_read_text(query, "abuse_type", MAX_CATEGORY_CHARS),
        reason=_read_text(query, "reason", MAX_NAME_CHARS),
        leased_by=_read_text(query, "leased_by", MAX_NAME_CHARS),
        limit=_read_limit(query, MAX_QUEUE_PAGE, DEFAULT_QUEUE_PAGE),
        cursor=None if cursor is None else decode_queue_cursor(cursor),
    )


def read_idempotency_key(headers: Mapping[bytes, bytes]) -> str | None:
    """The client's key, or None where it sent none; raises `HttpProblem`."""
    key = headers.get(b"idempotency-key")
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        detail = f"Idempotency-Key is not 1 to {MAX_KEY_CHARS} printable ASCII characters. Send another one."
        raise HttpProblem(
            422, "invalid_header", detail, fields=[FieldProblem("header.Idempotency-Key", detail)]
        )
    return key.decode()


def _read_limit(query: Mapping[str, str], most: int, default: int) -> int:
    text = query.get("limit", str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most)) and 1 <= int(text) <= most):
        raise _refuse_value("limit", text, f"expected a whole number from 1 to {most:,}.")
    return int(text)


def _read_text(query: Mapping[str, str], name: str, longest: int) -> str | None:
    text = query.get(name)
    if text is not None and not is_plain_text(text, longest):
        raise _refuse(name, f"is not 1 to {longest} characters without control characters. Correct it.")
    return text


def _read_word(query: Mapping[str, str], name: str, words: Mapping[str, _Value], default: _Value) -> _Value:
    text = query.get(name)
    if text is None:
        return default
    if text not in words:
        raise _refuse_value(name, text, f"expected {', '.join(words)}.")
    return words[text]


def _refuse_value(name: str, text: str, expected: str) -> HttpProblem:
    return _refuse(name, f'is "{shorten(text, _SHOWN_CHARS) if text else ""}"; {expected}')


def _refuse(name: str, reason: str) -> HttpProblem:
    detail = f"query.{name} {reason}"
    return HttpProblem(422, "invalid_query", detail, fields=[FieldProblem(f"query.{name}", detail)])
