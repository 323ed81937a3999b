"""Times on the wire: RFC 3339 with an offset, never guessed at."""

from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta

import msgspec

_REFUSAL = "no RFC 3339 time with offset"


def parse_time(text: str) -> datetime:
    """Read an RFC 3339 time with offset, rounded to the microsecond.

    A leap second becomes the second after it, as in POSIX time. Raises `ValueError` for a time without
    offset, in another form, or that no calendar has (30 February, 24:00).
    """
    # msgspec also reads a space for the T and an offset without colon, which RFC 3339 does not have.
    if text[10:11] not in {"T", "t"} or (text[-1] not in "Zz" and text[-3] != ":"):
        raise ValueError(_REFUSAL)
    is_leap_second = text[16:19] == ":60"
    if is_leap_second:
        text = text[:17] + "59" + text[19:]
    try:
        time = msgspec.convert(text, datetime)
    except msgspec.ValidationError as error:
        raise ValueError(_REFUSAL) from error
    if time.tzinfo is None or time.year in {MINYEAR, MAXYEAR}:  # in those years UTC may leave the calendar
        raise ValueError(_REFUSAL)
    if is_leap_second:
        in_utc = time.astimezone(UTC)
        if (in_utc.hour, in_utc.minute) != (23, 59):  # they stand before midnight UTC, nowhere else
            raise ValueError(_REFUSAL)
        return time + timedelta(seconds=1)
    return time
