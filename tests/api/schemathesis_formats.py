"""What schemathesis can't read from our document; it loads this by SCHEMATHESIS_HOOKS."""

from datetime import UTC, datetime

import schemathesis
from hypothesis import strategies as st

# A time in the future is refused, and JSON Schema has no word for it.
_PAST = st.datetimes(
    datetime(2, 1, 1),  # noqa: DTZ001 - hypothesis takes bounds without an offset
    datetime(2026, 1, 1),  # noqa: DTZ001 - as above
    timezones=st.just(UTC),
)
schemathesis.openapi.format("date-time", _PAST.map(datetime.isoformat))
