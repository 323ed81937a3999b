"""What a page of the queue is asked for: filters and cursor from its address, and back."""

from collections.abc import Mapping
from urllib.parse import urlencode

import msgspec

from flagrank.triage.feature_schema import MAX_CATEGORY_CHARS, is_plain_text
from flagrank.triage.review import (
    MAX_NAME_CHARS,
    CaseStatus,
    QueueCursor,
    QueueQuery,
    decode_queue_cursor,
    encode_queue_cursor,
)

PAGE_CASES = 50
STATUSES = (CaseStatus.OPEN, CaseStatus.ESCALATED)


class QueueFilters(msgspec.Struct, frozen=True):
    """The texts of the form as they were sent; an empty one filters nothing."""

    status: str = ""
    reason: str = ""
    abuse_type: str = ""
    leased_by: str = ""
    cursor: str = ""

    def write_query(self, **changes: str) -> str:
        """The query of an address with these filters, changed ones replaced."""
        values = msgspec.structs.asdict(self) | changes
        return urlencode({name: value for name, value in values.items() if value})


def read_filters(query: Mapping[str, str]) -> QueueFilters:
    """The filters of an address; what can't be any filters nothing."""
    names = QueueFilters.__struct_fields__
    texts = {name: query.get(name, "").strip() for name in names}
    longest = {"reason": MAX_CATEGORY_CHARS, "abuse_type": MAX_CATEGORY_CHARS, "leased_by": MAX_NAME_CHARS}
    for name, most in longest.items():
        if not is_plain_text(texts[name], most):
            texts[name] = ""
    if texts["status"] not in STATUSES:
        texts["status"] = ""
    return QueueFilters(**texts)


def make_query(filters: QueueFilters) -> QueueQuery:
    """The query for the store. Raises `InvalidCursor`."""
    return QueueQuery(
        status=CaseStatus(filters.status or CaseStatus.OPEN),
        abuse_type=filters.abuse_type or None,
        reason=filters.reason or None,
        leased_by=filters.leased_by or None,
        limit=PAGE_CASES,
        cursor=decode_queue_cursor(filters.cursor) if filters.cursor else None,
    )


def follow(filters: QueueFilters, cursor: QueueCursor) -> str:
    """The query of the next page."""
    return filters.write_query(cursor=encode_queue_cursor(cursor))
