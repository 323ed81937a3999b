"""How long a case may still wait, in words."""

from datetime import datetime, timedelta

import msgspec

from flagrank.triage.review import QueueCase

SOON = timedelta(hours=1)

_UNITS = ((timedelta(days=1), "d"), (timedelta(hours=1), "h"), (timedelta(minutes=1), "min"))


class Due(msgspec.Struct, frozen=True):
    """When the first review is due, and how urgent that is: `over`, `soon` or `later`."""

    at: datetime
    urgency: str
    words: str


def tell_deadline(case: QueueCase, now: datetime) -> Due:
    """The deadline beside the time it is; once the case is decided it urges no more."""
    left = case.deadline_at - now
    if case.decided_at is not None:
        return Due(case.deadline_at, "later", "kept" if case.decided_at <= case.deadline_at else "missed")
    if left < timedelta(0):
        return Due(case.deadline_at, "over", f"over by {tell_span(-left)}")
    return Due(case.deadline_at, "soon" if left < SOON else "later", f"in {tell_span(left)}")


def tell_span(span: timedelta) -> str:
    """A span in its two largest units: `3 d 4 h`, `12 min`."""
    for place, (unit, name) in enumerate(_UNITS):
        if span >= unit:
            count, rest = divmod(span, unit)
            smaller = _UNITS[place + 1 : place + 2]
            more = [f" {rest // unit} {name}" for unit, name in smaller if rest >= unit]
            return f"{count} {name}{''.join(more)}"
    return "under 1 min"
