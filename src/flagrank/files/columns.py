"""One column of a file: cells or typed values -> what the encoder takes, and which of them are bad.

A cell of text is null where it is empty and nowhere else; a typed value (JSON, Parquet) where it is None.
"""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple, assert_never

import numpy as np
from numpy.typing import NDArray

from flagrank.triage.feature_schema import (
    LARGEST_NUMBER,
    Feature,
    describe_expected,
    describe_problem,
    is_valid,
    what_to_send,
)
from flagrank.triage.report import MAX_EXPOSURE
from flagrank.triage.report_problems import MAX_PROBLEMS, find_context_fault

NUMBER_CHARACTERS = "0123456789.eE+-"
TRUTHS = {"true": 1.0, "1": 1.0, "1.0": 1.0, "yes": 1.0, "false": 0.0, "0": 0.0, "0.0": 0.0, "no": 0.0}
MISSING = object()


class Cells(NamedTuple):
    """A column read: a list, or (n,) float64 with NaN for null; and where the first bad values stand."""

    values: Sequence[Any] | NDArray[np.float64]
    bad: Sequence[int]


@dataclass(frozen=True)
class Column:
    """A column to read: by what name, how, and the sentence about a bad value, which may be `MISSING`.

    Where it `takes_numbers`, its typed values may come as (n,) float64 with NaN for null.
    """

    name: str
    is_optional: bool
    read_text: Callable[[Sequence[str]], Cells]
    read_values: Callable[[Any], Cells]
    describe: Callable[[str, object], str]
    takes_numbers: bool = False


def feature_column(feature: Feature) -> Column:
    """The column of a feature: float64 for numbers and booleans, a list of texts for a category."""
    read_text: Callable[[Feature, Sequence[str]], Cells]
    read_values: Callable[[Feature, Any], Cells]
    match feature.type:
        case "category":
            read_text, read_values = _read_words, _read_texts
        case "boolean":
            read_text, read_values = _read_truth_words, _read_truths
        case "integer" | "number":
            read_text, read_values = _read_digits, _read_numbers
        case _:
            assert_never(feature.type)
    return Column(
        name=feature.name,
        is_optional=feature.optional,
        read_text=partial(read_text, feature),
        read_values=partial(read_values, feature),
        describe=partial(_describe, feature),
        takes_numbers=feature.type in {"integer", "number"},
    )


def reason_column(reasons: Collection[str]) -> Column:
    """The reporter's stated reason, null where there is none; refused in the words of HTTP."""
    return _context_column(Feature("reason", "category", values=tuple(reasons), optional=True), reasons)


def exposure_column() -> Column:
    """Expected further views, null where none were sent."""
    return _context_column(Feature("exposure", "number", range=(0, MAX_EXPOSURE), optional=True), ())


def plain_column(name: str) -> Column:
    """A column whose cells are taken as they stand: texts, or typed values; nothing in it is bad."""
    return Column(
        name=name,
        is_optional=False,
        read_text=lambda cells: Cells([cell or None for cell in cells], ()),
        read_values=lambda values: Cells(_without_nan(values), ()),
        describe=lambda path, _: f"{path} is missing. Give it in each row, or null.",
    )


def read_truth(value: object) -> float | None:
    """1.0 or 0.0 for what says true or false (a boolean, 0 or 1, a word of `TRUTHS`), else None."""
    if isinstance(value, str):
        return TRUTHS.get(value.lower())
    return float(value) if isinstance(value, bool | int | float) and value in {0, 1} else None


def _context_column(feature: Feature, reasons: Collection[str]) -> Column:
    column = feature_column(feature)

    def describe(path: str, value: object) -> str:
        return f"{path} {find_context_fault(feature.name, value, reasons, datetime.now(UTC))}"

    return replace(column, describe=describe)


def _describe(feature: Feature, path: str, value: object) -> str:
    if value is MISSING:
        return f"{path} is missing; expected {describe_expected(feature)}. {what_to_send(feature)}"
    return describe_problem(feature, path, value)


def _first(bad: NDArray[np.bool_]) -> list[int]:
    positions: list[int] = np.flatnonzero(bad)[:MAX_PROBLEMS].tolist()
    return positions


def _without_nan(values: Sequence[Any]) -> list[Any]:
    """Values with None for NaN, which data frames write into Parquet for null."""
    return [None if isinstance(value, float) and math.isnan(value) else value for value in values]


def tell_cell(cell: str, column: Column) -> object:
    """A bad cell as a sentence shows it: null where it is empty, a number without quotation marks."""
    number = parse_number(cell) if column.takes_numbers else math.nan
    if not math.isfinite(number):
        return cell or None
    return int(number) if number == int(number) else number


def parse_number(cell: str) -> float:
    """The number that a cell holds, infinite where it is too large; NaN where it is empty or holds none."""
    if cell.strip(NUMBER_CHARACTERS):
        return math.nan
    try:
        return float(cell)
    except ValueError:
        return math.nan


def _read_digits(feature: Feature, cells: Sequence[str]) -> Cells:

    numbers = _convert_all(cells)
    if numbers is None:
        numbers = np.array([parse_number(cell) for cell in cells], dtype=np.float64)
        is_word = np.isnan(numbers) & np.array([cell != "" for cell in cells], dtype=np.bool_)
        numbers[is_word] = math.inf  # outside every range
    return _check_numbers(feature, numbers)


def _convert_all(cells: Sequence[str]) -> NDArray[np.float64] | None:
    """Convert cells at once: what `parse_number` gives for each, or None where any holds a word."""
    if "".join(cells).strip(
        NUMBER_CHARACTERS
    ):  # float() also takes " 5", "1_000", "nan", and other scripts' digits
        return None
    try:
        return np.array([float(cell) if cell else math.nan for cell in cells], dtype=np.float64)
    except ValueError:
        return None


def _read_numbers(feature: Feature, values: Sequence[Any] | NDArray[np.float64]) -> Cells:
    if isinstance(values, np.ndarray):
        return _check_numbers(feature, values)
    if not set(map(type, values)) <= {int, float, type(None)}:
        values = [value if value is None or is_valid(feature, value) else math.inf for value in values]
    try:
        return _check_numbers(feature, np.array(values, dtype=np.float64))  # None becomes NaN
    except OverflowError:  # an integer beyond float64
        return _read_numbers(feature, [math.inf if _is_huge(value) else value for value in values])


def _is_huge(value: object) -> bool:
    return isinstance(value, int) and abs(value) > LARGEST_NUMBER


def _check_numbers(feature: Feature, numbers: NDArray[np.float64]) -> Cells:
    low, high = feature.bounds
    is_good = (low <= numbers) & (numbers <= high)
    if feature.type == "integer":
        is_good &= numbers == np.floor(numbers)
    if feature.may_be_null:
        is_good |= np.isnan(numbers)
    return Cells(numbers, _first(~is_good))


def _read_truth_words(feature: Feature, cells: Sequence[str]) -> Cells:
    words = {"": math.nan, **TRUTHS}
    return _check_truths(feature, [words.get(cell.lower(), math.inf) for cell in cells])


def _read_truths(feature: Feature, values: Sequence[Any]) -> Cells:
    known = {None: math.nan, False: 0.0, True: 1.0}
    try:
        return _check_truths(feature, [known[value] for value in values])
    except (KeyError, TypeError):  # words, and what is neither
        truths = [math.nan if value is None else read_truth(value) for value in _without_nan(values)]
        return _check_truths(feature, [math.inf if truth is None else truth for truth in truths])


def _check_truths(feature: Feature, truths: list[float]) -> Cells:
    numbers = np.array(truths, dtype=np.float64)
    is_bad = np.isinf(numbers)
    if not feature.may_be_null:
        is_bad |= np.isnan(numbers)
    return Cells(numbers, _first(is_bad))


def _read_words(feature: Feature, cells: Sequence[str]) -> Cells:
    # One text object a category, not one a cell: a table of millions of rows is held in memory.
    known: dict[str, str | None] = {"": None, **{value: value for value in feature.values}}
    return _read_texts(feature, [known.get(cell, cell) for cell in cells])


def _read_texts(feature: Feature, values: Sequence[Any]) -> Cells:
    texts = _without_nan(values)
    try:
        wrong = {value for value in set(texts) if not is_valid(feature, value)}
    except TypeError:  # an array or an object of JSON, which no set takes
        return Cells(
            texts, [row for row, value in enumerate(texts) if not is_valid(feature, value)][:MAX_PROBLEMS]
        )
    if not wrong:
        return Cells(texts, ())
    return Cells(texts, [row for row, value in enumerate(texts) if value in wrong][:MAX_PROBLEMS])
