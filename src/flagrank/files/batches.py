"""Batches of a file's rows as columns, until the file ends or its bad rows refuse it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, NamedTuple, NoReturn, Protocol, TypeVar

from flagrank.files.columns import Cells, Column
from flagrank.triage.errors import FieldProblem, FileRefused
from flagrank.triage.feature_schema import show
from flagrank.triage.report_problems import MAX_PROBLEMS

BATCH_ROWS = 4_096
BATCH_CELLS = 2**18
BATCH_CHARS = 8 * 2**20  # rows may hold long texts


class Fault(NamedTuple):
    """A bad place: its line or row from 1, which of the columns asked for, and the sentence."""

    line: int
    position: int
    problem: FieldProblem


class Chunk(Protocol):
    """Some rows of a file as its format holds them."""

    @property
    def rows(self) -> int:
        """How many."""
        ...

    @property
    def share_read(self) -> float:
        """How much of the file has been read at the chunk's end: 0 .. 1."""
        ...

    @property
    def faults(self) -> Sequence[Fault]:
        """What reading them found wrong; then the columns need not be of one length."""
        ...

    def read(self, column: Column) -> Cells:
        """The values of one column."""
        ...

    def find_place(self, row: int) -> tuple[str, int]:
        """Whether it is a line or a row, and its number, from 1, in the file."""
        ...

    def find_value(self, row: int, column: Column) -> object:
        """The value as the file has it."""
        ...


AnyChunk = TypeVar("AnyChunk", bound=Chunk)


@dataclass(frozen=True, slots=True)
class Batch(Generic[AnyChunk]):
    """Rows that are all valid: the values of each column asked for, and the rows themselves to pass on."""

    columns: list[Any]
    chunk: AnyChunk


def read_batches(
    path: Path, chunks: Iterable[AnyChunk], columns: Sequence[Column]
) -> Iterator[Batch[AnyChunk]]:
    """Convert chunk after chunk; from the first bad cell on only to find more of them, up to 20.

    Raises `FileRefused` after the last batch where any cell is bad.
    """
    faults: list[Fault] = []
    for chunk in chunks:
        faults.extend(chunk.faults)
        values = []
        for position, column in enumerate(columns):
            cells = chunk.read(column)
            values.append(cells.values)
            faults.extend(_describe(chunk, row, column, position) for row in cells.bad)
        if not faults:
            yield Batch(values, chunk)
        elif len(faults) >= MAX_PROBLEMS:
            break
    if faults:
        _refuse(path, sorted(faults, key=lambda fault: fault[:2])[:MAX_PROBLEMS])


def _describe(chunk: Chunk, row: int, column: Column, position: int) -> Fault:
    noun, number = chunk.find_place(row)
    path = f"{noun} {number}, column {column.name}"
    sentence = column.describe(path, chunk.find_value(row, column))
    return Fault(number, position, FieldProblem(path, sentence))


def _refuse(path: Path, faults: Sequence[Fault]) -> NoReturn:
    problems = [fault.problem for fault in faults]
    count = f"{len(faults)} faults" if len(faults) > 1 else "a fault"
    if len(faults) == MAX_PROBLEMS:
        count = f"{MAX_PROBLEMS} faults or more, and was read no further"
    raise FileRefused(
        f"{path} has {count}; a file is taken whole or not at all. {problems[0].detail}", problems
    )


def limit_rows(width: int) -> int:
    """How many rows of so many columns are held at once."""
    return max(1, min(BATCH_ROWS, BATCH_CELLS // max(1, width)))


def check_names(path: Path, names: Sequence[str], columns: Sequence[Column], taken: Sequence[str]) -> None:
    """Raise `FileRefused` where names repeat, lack one that is needed, or hold one of `taken`."""
    repeated = (
        sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    )
    if repeated:
        raise FileRefused(
            f"{path} names {_quote(repeated)} more than once. Give each column a name of its own."
        )
    missing = [column.name for column in columns if not column.is_optional and column.name not in names]
    if missing:
        noun = "column" if len(missing) == 1 else "columns"
        raise FileRefused(
            f"{path} has no {noun} {_quote(missing)}; its columns are {_quote(names)}. Add what is missing, "
            "or correct the name."
        )
    refuse_taken(path, [name for name in taken if name in names])


def refuse_taken(path: Path, names: Sequence[str]) -> None:
    """Raise `FileRefused` where there are `names`: the file's own, which ours would repeat."""
    if names:
        noun = "a column" if len(names) == 1 else "columns"
        raise FileRefused(
            f"{path} has {noun} {_quote(names)} already, which we would add. Give --prefix, which is put "
            "before our names."
        )


def _quote(names: Sequence[str]) -> str:
    shown = ", ".join(show(name) for name in names[:20])
    return f"{shown} and {len(names) - 20} more" if len(names) > 20 else shown
