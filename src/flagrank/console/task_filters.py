"""What a page of tasks is asked for: filters and cursor from its address, and back."""

from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import urlencode

import msgspec

from flagrank.triage.errors import FieldProblem
from flagrank.triage.task import Cursor, TaskQuery, TaskStatus, decode_cursor, encode_cursor
from flagrank.triage.times import parse_time

PAGE_TASKS = 50
TIME_LABELS = {"since": "Submitted since", "until": "Submitted before"}


class TaskFilters(msgspec.Struct, frozen=True):
    """The texts of the form as they were sent; an empty one filters nothing."""

    status: str = ""
    since: str = ""
    until: str = ""
    cursor: str = ""

    def write_query(self, **changes: str) -> str:
        """The query of an address with these filters, changed ones replaced."""
        values = msgspec.structs.asdict(self) | changes
        return urlencode({name: value for name, value in values.items() if value})


def read_filters(query: Mapping[str, str]) -> TaskFilters:
    """The filters of an address."""
    names = TaskFilters.__struct_fields__
    return TaskFilters(**{name: query.get(name, "").strip() for name in names})


def make_query(filters: TaskFilters) -> tuple[TaskQuery, list[FieldProblem]]:
    """The query for the store, and what is wrong with a filter, which then filters nothing.

    Raises `InvalidCursor`.
    """
    problems: list[FieldProblem] = []
    statuses: frozenset[TaskStatus] = frozenset()
    if filters.status:
        try:
            statuses = frozenset({TaskStatus(filters.status)})
        except ValueError:
            problems.append(
                FieldProblem("status", "The status is none that there is. Choose one of the list.")
            )
    times: dict[str, datetime | None] = {"since": None, "until": None}
    for name, text in (("since", filters.since), ("until", filters.until)):
        try:
            times[name] = read_form_time(text)
        except ValueError:
            problems.append(FieldProblem(name, describe_form_time(TIME_LABELS[name])))
    cursor = decode_cursor(filters.cursor) if filters.cursor else None
    return TaskQuery(
        statuses=statuses, since=times["since"], until=times["until"], limit=PAGE_TASKS, cursor=cursor
    ), problems


def follow(filters: TaskFilters, cursor: Cursor) -> str:
    """The query of the next page."""
    return filters.write_query(cursor=encode_cursor(cursor))


def read_form_time(text: str) -> datetime | None:
    """A time as a browser's form sends it, without offset, is in UTC; None where it is empty.

    Raises `ValueError`.
    """
    if not text:
        return None
    seconds = ":00" if text.count(":") == 1 else ""
    has_offset = text[-1] in "Zz" or text[-6:-5] in {"+", "-"}
    return parse_time(text if has_offset else f"{text}{seconds}Z").astimezone(UTC)


def describe_form_time(label: str) -> str:
    """The sentence about a time that is none."""
    return f"{label} is no time. Write it in UTC, as in 2027-01-05T10:00."
