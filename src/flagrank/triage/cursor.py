"""Cursors: where a page ended, as an opaque word of A-Z a-z 0-9 - _."""

import base64
import binascii
import struct
from datetime import UTC, datetime, timedelta
from typing import Any

from flagrank.triage.errors import InvalidCursor

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def pack_cursor(form: struct.Struct, *values: Any) -> str:  # noqa: ANN401 - whatever the form takes
    """The word of these values; the form has a multiple of three bytes, so that it needs no padding."""
    return base64.urlsafe_b64encode(form.pack(*values)).decode()


def unpack_cursor(form: struct.Struct, text: str) -> tuple[Any, ...]:
    """The values of a word that `pack_cursor` made; raises `InvalidCursor` where it made none like it."""
    try:
        values = form.unpack(base64.b64decode(text, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, struct.error) as error:
        raise refuse_cursor() from error
    if pack_cursor(form, *values) != text:
        raise refuse_cursor()
    return values


def count_microseconds(at: datetime) -> int:
    """Microseconds since 1970."""
    return (at - _EPOCH) // _MICROSECOND


def read_microseconds(microseconds: int) -> datetime:
    """The time so many microseconds after 1970; raises `InvalidCursor` where no calendar has it."""
    try:
        return _EPOCH + timedelta(microseconds=microseconds)
    except OverflowError as error:
        raise refuse_cursor() from error


def refuse_cursor() -> InvalidCursor:
    """What is raised for a cursor that no page gave."""
    return InvalidCursor(
        "The cursor is none that this service gave. Send the last page's `next` unchanged, or leave it out."
    )
