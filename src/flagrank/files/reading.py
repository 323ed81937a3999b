"""Opens a file of reports to read, by the kind its name tells."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias, Union

from flagrank.files.batches import Batch, read_batches
from flagrank.files.columns import Column
from flagrank.files.delimited import DelimitedSource
from flagrank.files.json_lines import JsonLinesSource
from flagrank.files.kind import find_kind
from flagrank.files.lines import TextLines
from flagrank.triage.errors import ExtraMissing

if TYPE_CHECKING:
    from flagrank.files.parquet import ParquetSource

Source: TypeAlias = Union[DelimitedSource, JsonLinesSource, "ParquetSource"]


@dataclass(frozen=True)
class Reports:
    """A file opened to read; its batches can be gone through once."""

    path: Path
    source: Source
    batches: Iterator[Batch[Any]]


@contextmanager
def open_reports(path: Path, columns: Sequence[Column], taken: Sequence[str] = ()) -> Iterator[Reports]:
    """Read `columns` of a file, a few thousand rows at a time.

    Raises `FileRefused` for a file that can't be read, whose names repeat, that lacks a column which is not
    optional, or has one of `taken`; going through the batches raises it for bad rows, after the last batch
    before them. Raises `ExtraMissing` for Parquet without the extra `files`.
    """
    kind = find_kind(path)
    if kind.family == "parquet":
        with load_parquet().ParquetSource(path, columns, taken) as source:
            yield Reports(path, source, read_batches(path, source, columns))
        return
    with TextLines(path, is_gzip=kind.is_gzip) as lines:
        if kind.family == "delimited":
            rows = DelimitedSource(lines, kind.delimiter, columns, taken)
            yield Reports(path, rows, read_batches(path, rows, columns))
        else:
            objects = JsonLinesSource(lines, taken)
            yield Reports(path, objects, read_batches(path, objects, columns))


def load_parquet() -> ModuleType:
    """The module for Parquet; raises `ExtraMissing` where pyarrow is not installed."""
    try:
        from flagrank.files import parquet
    except ModuleNotFoundError as error:
        raise ExtraMissing(
            "Parquet needs pyarrow, which the extra 'files' brings. Install it with: pip install "
            "'flagrank[files]'"
        ) from error
    return parquet
