"""Ids that we make: UUIDv7 (RFC 9562), which sort by the time they were made."""

import os
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

_RANDOM_BITS = 74  # rand_a and rand_b of RFC 9562: what version and variant leave free
_LOW_BITS = 62
# Room for the 10,000 reports of a request, many times over, before the random part overflows.
_FIRST_RANDOM_BITS = _RANDOM_BITS - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_CANONICAL = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def _read_milliseconds() -> int:
    return time.time_ns() // 1_000_000


class IdentifierSource:
    """Makes UUIDv7 ids, each greater than the one before, even as the clock goes back.

    For one thread, the event loop's; ids of other processes may lie between.
    """

    def __init__(self, read_milliseconds: Callable[[], int] = _read_milliseconds) -> None:
        self._read_milliseconds = read_milliseconds
        self._last = 0  # time and random part as one number

    def make(self, count: int = 1) -> list[str]:
        """So many ids in rising order, as lower case text of 36 characters."""
        fresh = int.from_bytes(os.urandom(10)) >> (80 - _FIRST_RANDOM_BITS)
        first = max(self._read_milliseconds() << _RANDOM_BITS | fresh, self._last + 1)
        self._last = first + count - 1
        return [_format(number) for number in range(first, first + count)]


def first_identifier(at: datetime) -> str:
    """The least id that can have been made at this time."""
    return _format((at - _EPOCH) // _MILLISECOND << _RANDOM_BITS)


def read_time(identifier: str) -> datetime:
    """When an id was made, to the millisecond."""
    return _EPOCH + int(identifier[:8] + identifier[9:13], 16) * _MILLISECOND


def parse_identifier(text: str) -> str | None:
    """The id as we write it, from text in either case; None where the text is no UUID."""
    lowered = text.lower()
    return lowered if _CANONICAL.fullmatch(lowered) else None


def pack_identifier(text: str) -> bytes:
    """The 16 bytes of an id."""
    return bytes.fromhex(text.replace("-", ""))


def unpack_identifier(packed: bytes) -> str:
    """The id of 16 bytes, as we write it."""
    digits = packed.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _format(number: int) -> str:
    milliseconds, random = number >> _RANDOM_BITS, number & ((1 << _RANDOM_BITS) - 1)
    high = (milliseconds & ((1 << 48) - 1)) << 16 | 7 << 12 | random >> _LOW_BITS
    low = 0b10 << _LOW_BITS | random & ((1 << _LOW_BITS) - 1)
    return unpack_identifier((high << 64 | low).to_bytes(16))
