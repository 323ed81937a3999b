"""Times on the wire: RFC 3339 with an offset, never guessed at."""

import re
from datetime import datetime

_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)", re.ASCII)


def parse_time(text: str) -> datetime:
    """Read an RFC 3339 time with offset; digits past the microsecond are dropped.

    Raises `ValueError` for a time without offset, another form, or one that no calendar has (30 February).
    """
    if not _RFC_3339.fullmatch(text):
        raise ValueError(text)
    return datetime.fromisoformat(text.upper())
