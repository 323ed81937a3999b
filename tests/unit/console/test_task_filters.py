from datetime import UTC, datetime
from urllib.parse import parse_qs

import pytest

from flagrank.console.task_filters import TaskFilters, make_query, read_filters, read_form_time
from flagrank.triage.task import TaskStatus

TEN = datetime(2027, 1, 5, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2027-01-05T10:00",
        "2027-01-05T10:00:00",
        "2027-01-05T10:00:00.000",
        "2027-01-05T10:00:00Z",
        "2027-01-05T11:00:00+01:00",
    ],
)
def test_a_time_without_offset_is_in_utc(text: str) -> None:
    assert read_form_time(text) == TEN


@pytest.mark.parametrize("text", ["2027-02-30T10:00", "2027-01-05", "10:00", "tomorrow", "Z", "-01:00"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="RFC 3339"):
        read_form_time(text)


def test_no_time_filters_nothing() -> None:
    assert read_form_time("") is None


def test_filters_survive_being_written_into_an_address() -> None:
    filters = TaskFilters("failed", "2027-01-05T10:00:00+01:00", "", "a-b_")
    query = {name: values[0] for name, values in parse_qs(filters.write_query()).items()}
    assert read_filters(query) == filters
    assert "cursor" not in filters.write_query(cursor="")


def test_filters_become_a_query() -> None:
    query, problems = make_query(TaskFilters(status="failed", since="2027-01-05T10:00"))
    assert problems == []
    assert query.statuses == {TaskStatus.FAILED}
    assert (query.since, query.until) == (TEN, None)


def test_what_a_filter_can_not_be_is_told_by_its_field() -> None:
    query, problems = make_query(TaskFilters(status="done", since="x", until="y"))
    assert [problem.path for problem in problems] == ["status", "since", "until"]
    assert (query.statuses, query.since, query.until) == (frozenset(), None, None)
