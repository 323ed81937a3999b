"""CSV and TSV: rows in, the same rows with further cells out, and whole columns out.

Quotation marks work as RFC 4180 says, in TSV too. A blank line is no row, unless the file has one column.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from flagrank.files.batches import BATCH_CHARS, Fault, check_names, limit_rows
from flagrank.files.columns import Cells, Column, tell_cell
from flagrank.files.kind import ColumnType
from flagrank.files.lines import TextLines
from flagrank.triage.errors import FieldProblem, FileRefused

MAX_CELL_CHARS = 2**24  # also bounds what is read in search of a quotation mark that closes a cell


@dataclass
class DelimitedChunk:
    """Rows of cells: the text each row was read from, and the line it starts on."""

    places: Mapping[str, int]
    cells: list[list[str]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    share_read: float = 0.0

    @property
    def rows(self) -> int:
        """How many rows."""
        return len(self.cells)

    def read(self, column: Column) -> Cells:
        """The values of one column; one that the file lacks is null."""
        place = self.places.get(column.name)
        return column.read_text([""] * self.rows if place is None else [row[place] for row in self.cells])

    def find_place(self, row: int) -> tuple[str, int]:
        """The line that the row starts on."""
        return "line", self.lines[row]

    def find_value(self, row: int, column: Column) -> object:
        """The cell."""
        return tell_cell(self.cells[row][self.places[column.name]], column)


class DelimitedSource:
    """The rows of a CSV or TSV file."""

    def __init__(
        self, lines: TextLines, delimiter: str, columns: Sequence[Column], taken: Sequence[str]
    ) -> None:
        """Read and check the header; raises `FileRefused`."""
        csv.field_size_limit(MAX_CELL_CHARS)  # the module's own limit of 131,072 is less than a long text
        self.delimiter = delimiter
        self._lines = lines
        self._kept: list[str] = []
        self._is_at_end = False
        self._reader = csv.reader(self._keep(lines), delimiter=delimiter, strict=True)
        try:
            self.names = next(self._reader, [])
        except csv.Error as error:
            raise FileRefused(f"{lines.path}: {_describe_broken(1, error)}") from error
        if not self.names:
            raise FileRefused(
                f"{lines.path} has no header. Write the names of the columns into its first line."
            )
        check_names(lines.path, self.names, columns, taken)
        self.header = self._take_text()

    def __iter__(self) -> Iterator[DelimitedChunk]:
        """The rows after the header, in chunks."""
        places = {name: place for place, name in enumerate(self.names)}
        while not self._is_at_end:
            chunk = DelimitedChunk(places)
            self._fill(chunk)
            chunk.share_read = self._lines.share_read
            if chunk.rows or chunk.faults:
                yield chunk

    def _fill(self, chunk: DelimitedChunk) -> None:
        width = len(self.names)
        most = limit_rows(width)
        chars = 0
        while len(chunk.cells) < most and chars < BATCH_CHARS:
            line = self._reader.line_num + 1
            try:
                cells = next(self._reader)
            except StopIteration:
                self._is_at_end = True
                return
            except csv.Error as error:
                self._is_at_end = True
                chunk.faults.append(_fault(line, _describe_broken(line, error)))
                return
            text = self._take_text()
            if not cells and width > 1:
                continue
            cells = cells or [""]
            if len(cells) != width:
                chunk.faults.append(_fault(line, _describe_ragged(line, len(cells), width)))
                continue
            chunk.cells.append(cells)
            chunk.texts.append(text)
            chunk.lines.append(line)
            chars += len(text)

    def _keep(self, lines: TextLines) -> Iterator[str]:
        for line in lines:
            self._kept.append(line)
            yield line

    def _take_text(self) -> str:
        """The text of the row just read; the reader never reads ahead."""
        text = self._kept[0] if len(self._kept) == 1 else "".join(self._kept)
        self._kept.clear()
        return text


class DelimitedCopy:
    """Writes the rows of a source on with cells behind; where the delimiter stays, to the character."""

    def __init__(
        self, stream: BinaryIO, delimiter: str, source: DelimitedSource, names: Sequence[str]
    ) -> None:
        """Write the header; `names` need no quotation marks."""
        self._stream = stream
        self._delimiter = delimiter
        self._is_other = delimiter != source.delimiter
        self._write([source.names], [source.header], [names])

    def append(self, chunk: DelimitedChunk, columns: Sequence[Sequence[float]]) -> None:
        """Write rows; `columns` hold a value a row each, written so that they read back to the last bit."""
        self._write(chunk.cells, chunk.texts, zip(*(map(repr, column) for column in columns), strict=True))

    def _write(self, cells: list[list[str]], texts: list[str], added: Iterable[Sequence[str]]) -> None:
        if self._is_other:
            rows = ([*row, *ours] for row, ours in zip(cells, added, strict=True))
            # csv quotes what its line end holds: a carriage return in a cell survives on Python 3.11
            self._stream.write(_encode_rows(rows, self._delimiter, "\r\n"))
            return
        tails = map(self._delimiter.join, added)
        self._stream.write("".join(map(self._extend, texts, tails)).encode())

    def _extend(self, text: str, tail: str) -> str:
        body = text.rstrip("\r\n")
        return f"{body}{self._delimiter}{tail}{text[len(body) :]}"


class DelimitedWriter:
    """Writes columns of one's own."""

    def __init__(self, stream: BinaryIO, delimiter: str, types: Mapping[str, ColumnType]) -> None:
        """Write the header."""
        self._stream = stream
        self._delimiter = delimiter
        self._types = types
        stream.write(_encode_rows([list(types)], delimiter, "\n"))

    def write(self, columns: Mapping[str, Sequence[Any]]) -> None:
        """Write rows; null is an empty cell."""
        cells = [
            _say(columns[name]) if kind == "boolean" else columns[name] for name, kind in self._types.items()
        ]
        self._stream.write(_encode_rows(zip(*cells, strict=True), self._delimiter, "\n"))


def _say(truths: Sequence[bool | None]) -> list[str]:
    words = {None: "", True: "true", False: "false"}
    return [words[truth] for truth in truths]


def _encode_rows(rows: Iterable[Sequence[object]], delimiter: str, line_end: str) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter, lineterminator=line_end).writerows(rows)
    return buffer.getvalue().encode()


def _fault(line: int, sentence: str) -> Fault:
    return Fault(line, -1, FieldProblem(f"line {line}", sentence))


def _describe_broken(line: int, error: csv.Error) -> str:
    return (
        f"line {line} can't be split into cells: {error}. Close each quotation mark, double one that stands "
        "inside a quoted cell, "
        "and end lines by \\n or \\r\\n."
    )


def _describe_ragged(line: int, found: int, width: int) -> str:
    cells = "1 cell" if found == 1 else f"{found} cells"
    what_to_do = "Quote a cell that holds the delimiter, or add what is missing."
    return f"line {line} has {cells}; the header has {width}. {what_to_do}"
