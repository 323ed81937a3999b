"""A column of times to order rows by: RFC 3339 texts, or numbers that grow with time."""

import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from flagrank.files.columns import MISSING, Cells, Column, parse_number
from flagrank.triage.feature_schema import show
from flagrank.triage.report_problems import MAX_PROBLEMS
from flagrank.triage.times import parse_time

Times: TypeAlias = NDArray[np.int64] | NDArray[np.float64] | NDArray[np.datetime64]

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")


def time_column(name: str) -> Column:
    """A column with a time in each row: (n,) int64 or float64 of numbers, or datetime64 of texts."""
    return Column(name, is_optional=False, read_text=_read_times, read_values=_read_times, describe=_describe)


def join_times(name: str, parts: Sequence[Times]) -> Times:
    """One array of batches; raises `ValueError` where some hold numbers and some times."""
    if len({part.dtype.kind == "M" for part in parts}) > 1:
        raise ValueError(name)
    joined: Times = np.concatenate(parts)  # type: ignore[assignment] # of one kind, as just seen
    return joined


def _read_times(values: Sequence[object]) -> Cells:
    times = [_parse(value) for value in values]
    is_clock = isinstance(times[0], datetime)
    bad = [row for row, time in enumerate(times) if time is None or isinstance(time, datetime) != is_clock]
    if bad:
        return Cells(times, bad[:MAX_PROBLEMS])
    if is_clock:
        return Cells(np.array(times, dtype="datetime64[us]"), ())
    is_whole = all(isinstance(time, int) and abs(time) < 2**63 for time in times)
    return Cells(np.array(times, dtype=np.int64 if is_whole else np.float64), ())


def _parse(value: object) -> int | float | datetime | None:
    """A number, a time in UTC without saying so (as numpy takes it), or None for what is neither."""
    if isinstance(value, str):
        return _parse_text(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if math.isfinite(value) else None


def _parse_text(text: str) -> int | float | datetime | None:
    if _INTEGER.fullmatch(text):
        return int(text)
    number = parse_number(text)
    if not math.isnan(number):
        return number if math.isfinite(number) else None
    try:
        return parse_time(text).astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return None


def _describe(path: str, value: object) -> str:
    shown = "missing" if value is MISSING else "empty" if value is None or value == "" else show(value)
    return (
        f"{path} is {shown}; expected a number, or a time with offset (RFC 3339, as in "
        "2027-01-05T10:00:00+01:00), of one kind "
        "in all rows. Correct it, or name another column."
    )
