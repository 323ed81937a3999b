"""Which cases a query asks for."""

import math

import pytest

from flagrank.api.problems import HttpProblem
from flagrank.api.query import QUEUE_NAMES, read_query, read_queue_query
from flagrank.triage.errors import InvalidCursor
from flagrank.triage.review import (
    CaseStatus,
    QueueCursor,
    QueueQuery,
    decode_queue_cursor,
    encode_queue_cursor,
)

CURSOR = QueueCursor(30.42, "0199c6a1-64a0-7c5e-9a0d-3f1b5d0e7a21")


def read(text: str) -> QueueQuery:
    return read_queue_query(read_query({"query_string": text.encode()}, QUEUE_NAMES))


def test_without_a_query_it_is_the_first_page_of_open_cases() -> None:
    assert read("") == QueueQuery(status=CaseStatus.OPEN, limit=100)


def test_every_filter_is_read() -> None:
    filters = "status=escalated&abuse_type=MSG&reason=scam&leased_by=a%20b&limit=7"
    assert read(f"{filters}&cursor={encode_queue_cursor(CURSOR)}") == QueueQuery(
        status=CaseStatus.ESCALATED, abuse_type="MSG", reason="scam", leased_by="a b", limit=7, cursor=CURSOR
    )


@pytest.mark.parametrize(
    ("query", "name"),
    [
        *((f"status={status}", "status") for status in ("actioned", "dismissed", "OPEN", "")),
        *((f"limit={limit}", "limit") for limit in ("0", "1001", "-1", "1.0", "", "%D9%A1", "9" * 5_000)),
        *((f"{name}=", name) for name in ("abuse_type", "reason", "leased_by")),
        *((f"{name}=a%00b", name) for name in ("abuse_type", "reason", "leased_by")),
        *((f"{name}={'x' * 257}", name) for name in ("abuse_type", "reason", "leased_by")),
        ("limit=5&limit=5", "limit"),
        ("sort=age", "sort"),
    ],
)
def test_a_bad_value_is_named(query: str, name: str) -> None:
    with pytest.raises(HttpProblem) as caught:
        read(query)
    assert (caught.value.status, caught.value.code) == (422, "invalid_query")
    assert [field.path for field in caught.value.fields] == [f"query.{name}"]
    assert len(caught.value.detail) < 300


@pytest.mark.parametrize("text", ["", "x", "A" * 31, "A" * 33, "=" * 32, encode_queue_cursor(CURSOR) + "A"])
def test_a_cursor_that_no_page_gave_is_refused(text: str) -> None:
    with pytest.raises(InvalidCursor):
        read(f"cursor={text}")


@pytest.mark.parametrize("priority", [math.nan, math.inf, -math.inf])
def test_a_cursor_stands_at_a_number(priority: float) -> None:
    with pytest.raises(InvalidCursor):
        decode_queue_cursor(encode_queue_cursor(QueueCursor(priority, CURSOR.case_id)))
