"""What schemathesis can't read from our document; it loads this by SCHEMATHESIS_HOOKS."""

from datetime import UTC, datetime
from typing import Any

import schemathesis
from hypothesis import strategies as st

from flagrank.api.query import LONGEST_WAIT_SECONDS
from flagrank.settings import read_default_policy
from flagrank.triage.review import QueueCursor, encode_queue_cursor
from flagrank.triage.task import Cursor, encode_cursor
from tests.packages import zip_small_package

# A time in the future is refused, and JSON Schema has no word for it.
_PAST = st.datetimes(
    datetime(2, 1, 1),  # noqa: DTZ001 - hypothesis takes bounds without an offset
    datetime(2026, 1, 1),  # noqa: DTZ001 - as above
    timezones=st.just(UTC),
)
schemathesis.openapi.format("date-time", _PAST.map(datetime.isoformat))
# A cursor is opaque: any that has its form.
_CURSORS = st.builds(Cursor, _PAST, st.uuids(version=4).map(str))
schemathesis.openapi.format("cursor", _CURSORS.map(encode_cursor))
_QUEUE_CURSORS = st.builds(QueueCursor, st.floats(0, 1e9), st.uuids(version=4).map(str))
schemathesis.openapi.format("queue-cursor", _QUEUE_CURSORS.map(encode_queue_cursor))
# Any of three packages; what is made up is refused.
_PACKAGES = st.sampled_from([f"package {number}".encode() for number in range(3)])
schemathesis.openapi.media_type(
    "application/zip", _PACKAGES.map(lambda notes: zip_small_package({"notes.txt": notes}))
)


# Any of three policies; the same again is no change.
_POLICIES = st.sampled_from([read_default_policy().replace("spam = 1", f"spam = {n}") for n in (1, 2, 3)])
schemathesis.openapi.format("policy", _POLICIES)
schemathesis.serializer.alias("application/toml", "text/plain")


EXPLAINED_CHARS = 20_000  # about a hundred reports


@schemathesis.hook
def before_call(_context: object, case: "schemathesis.Case[Any]", _kwargs: dict[str, object]) -> None:
    """Wait for tasks as briefly as can be, and explain few reports.

    Schemathesis asks one by one, and gives up after ten seconds; and that the more reports are refused the
    more features there are, JSON Schema has no word for.
    """
    if str(case.query.get("explain")).lower() == "true" and len(str(case.body)) > EXPLAINED_CHARS:
        case.query["explain"] = "false"
    try:
        wait = float(case.query["wait"])
    except (KeyError, TypeError, ValueError):  # none, or none that is valid
        return
    if 1 < wait <= LONGEST_WAIT_SECONDS:
        case.query["wait"] = wait / LONGEST_WAIT_SECONDS
