"""JSONL: an object a line in, the same lines with further members out, and whole columns out."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, BinaryIO, NoReturn

import msgspec

from flagrank.files.batches import BATCH_CHARS, BATCH_ROWS, Fault, refuse_taken
from flagrank.files.columns import MISSING, Cells, Column
from flagrank.files.kind import ColumnType
from flagrank.files.lines import TextLines
from flagrank.triage.errors import FieldProblem
from flagrank.triage.feature_schema import show
from flagrank.triage.report_problems import MAX_PROBLEMS


@dataclass
class JsonChunk:
    """Objects: what each was read from, and its line."""

    objects: list[dict[str, Any]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    share_read: float = 0.0

    @property
    def rows(self) -> int:
        """How many objects."""
        return len(self.objects)

    def read(self, column: Column) -> Cells:
        """The values of one column; a member that an object lacks is null where it is optional, else bad."""
        values = [row.get(column.name) for row in self.objects]
        cells = column.read_values(values)
        if column.is_optional or None not in values:
            return cells
        missing = (row for row, found in enumerate(self.objects) if column.name not in found)
        return Cells(cells.values, sorted({*cells.bad, *islice(missing, MAX_PROBLEMS)})[:MAX_PROBLEMS])

    def find_place(self, row: int) -> tuple[str, int]:
        """The line of the object."""
        return "line", self.lines[row]

    def find_value(self, row: int, column: Column) -> object:
        """The member's value."""
        return self.objects[row].get(column.name, MISSING)


class JsonLinesSource:
    """The objects of a JSONL file; blank lines are none."""

    def __init__(self, lines: TextLines, taken: Sequence[str]) -> None:
        self._lines = lines
        self._taken = set(taken)
        self._decoder = json.JSONDecoder(object_pairs_hook=_make_object, parse_constant=_refuse_constant)

    def __iter__(self) -> Iterator[JsonChunk]:
        """The objects, in chunks; raises `FileRefused` where one has a member that we would add."""
        chunk = JsonChunk()
        chars = 0
        for number, text in enumerate(self._lines, start=1):
            if not text.isspace():
                self._add(chunk, number, text)
                chars += len(text)
            if len(chunk.texts) + len(chunk.faults) == BATCH_ROWS or chars >= BATCH_CHARS:
                chunk.share_read = self._lines.share_read
                yield chunk
                chunk = JsonChunk()
                chars = 0
        if chunk.rows or chunk.faults:
            chunk.share_read = 1.0
            yield chunk

    def _add(self, chunk: JsonChunk, number: int, text: str) -> None:
        try:
            found = self._decoder.decode(text)
        except RecursionError:
            chunk.faults.append(_fault(number, "is nested too deeply"))
            return
        except ValueError as error:
            chunk.faults.append(_fault(number, f"is no JSON: {_tell(error)}"))
            return
        if not isinstance(found, dict):
            chunk.faults.append(_fault(number, "is JSON, but no object"))
            return
        if not self._taken.isdisjoint(found):
            refuse_taken(self._lines.path, sorted(self._taken & found.keys()))
        chunk.objects.append(found)
        chunk.texts.append(text)
        chunk.lines.append(number)


class JsonLinesCopy:
    """Writes the lines of a source on, unchanged but for our members before the closing brace."""

    def __init__(self, stream: BinaryIO, names: Sequence[str]) -> None:
        self._stream = stream
        self._keys = [json.dumps(name, ensure_ascii=False) + ": " for name in names]

    def append(self, chunk: JsonChunk, columns: Sequence[Sequence[float]]) -> None:
        """Write lines; `columns` hold a value a line each, written so that they read back to the last bit."""
        rows = zip(*(map(repr, column) for column in columns), strict=True)
        members = (", ".join(key + value for key, value in zip(self._keys, row, strict=True)) for row in rows)
        self._stream.write("".join(map(_extend, chunk.texts, chunk.objects, members)).encode())


class JsonLinesWriter:
    """Writes columns of one's own."""

    def __init__(self, stream: BinaryIO, types: Mapping[str, ColumnType]) -> None:
        self._stream = stream
        self._names = list(types)

    def write(self, columns: Mapping[str, Sequence[Any]]) -> None:
        """Write an object a row."""
        rows = zip(*(columns[name] for name in self._names), strict=True)
        objects = (dict(zip(self._names, row, strict=True)) for row in rows)
        self._stream.write(msgspec.json.Encoder().encode_lines(objects))


def _extend(text: str, found: dict[str, Any], members: str) -> str:
    body = text.rstrip()
    comma = ", " if found else ""
    return f"{body[:-1]}{comma}{members}}}{text[len(body) :]}"


def _make_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the member {show(repeated)} is given more than once")
    return found


def _refuse_constant(literal: str) -> NoReturn:
    raise ValueError(f"{literal} is no value of JSON, null is")


def _tell(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at column {error.colno}"
    return str(error)


def _fault(number: int, fault: str) -> Fault:
    sentence = f'line {number} {fault}. Write one object a line, as in {{"popularity": 3.5}}.'
    return Fault(number, -1, FieldProblem(f"line {number}", sentence))
