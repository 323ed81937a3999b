from urllib.parse import parse_qs

import pytest

from flagrank.console.queue_filters import QueueFilters, follow, make_query, read_filters
from flagrank.triage.errors import InvalidCursor
from flagrank.triage.review import CaseStatus, QueueCursor

CURSOR = QueueCursor(2.5, "0199c6a1-64a0-7c5e-9a0d-3f1b5d0e7a21")


def test_filters_survive_being_written_into_an_address() -> None:
    filters = QueueFilters("escalated", "self_harm", "MSG", "ann & \u202ebob", "a-b_")
    query = {name: values[0] for name, values in parse_qs(filters.write_query()).items()}
    assert read_filters(query) == filters


@pytest.mark.parametrize(
    "query", [{"status": "actioned"}, {"reason": "a\x00b"}, {"leased_by": "x" * 129}, {}]
)
def test_what_can_be_no_filter_filters_nothing(query: dict[str, str]) -> None:
    assert read_filters(query) == QueueFilters()
    assert make_query(QueueFilters()).status is CaseStatus.OPEN


def test_the_next_page_keeps_the_filters() -> None:
    address = follow(QueueFilters(reason="spam"), CURSOR)
    filters = read_filters({name: values[0] for name, values in parse_qs(address).items()})
    query = make_query(filters)
    assert (query.reason, query.cursor) == ("spam", CURSOR)


def test_a_cursor_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidCursor):
        make_query(QueueFilters(cursor="nonsense"))
