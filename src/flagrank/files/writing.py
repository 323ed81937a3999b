"""Writes files of reports: the rows of another file with columns of ours behind, or columns of one's own."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from flagrank.files.batches import Batch
from flagrank.files.delimited import DelimitedCopy, DelimitedSource, DelimitedWriter
from flagrank.files.json_lines import JsonLinesCopy, JsonLinesSource, JsonLinesWriter
from flagrank.files.kind import ColumnType, find_kind
from flagrank.files.output import write_whole
from flagrank.files.reading import Reports, load_parquet
from flagrank.triage.errors import FileRefused

Append: TypeAlias = Callable[[Batch[Any], Sequence[Sequence[float]]], None]
Write: TypeAlias = Callable[[Mapping[str, Sequence[Any]]], None]


@contextmanager
def open_copy(reports: Reports, path: Path, names: Sequence[str]) -> Iterator[Append]:
    """Give a function that writes a batch of `reports` on, each cell unchanged, with `names` behind.

    The file stands under `path` once the block has ended well, or not at all. Raises `FileRefused` where it
    can't be written, is the one that is read, or is of another family (CSV and TSV, gzipped or not, are one).
    """
    kind = find_kind(path)
    if kind.family != find_kind(reports.path).family:
        raise FileRefused(
            f"{path} is of another kind than {reports.path}, and a copy keeps the kind. Give both names the "
            "same ending."
        )
    if path.exists() and path.samefile(reports.path):
        raise FileRefused(f"{path} is the file that is read. Name another file to write.")
    source = reports.source
    with write_whole(path, is_gzip=kind.is_gzip) as stream:
        if isinstance(source, DelimitedSource):
            delimited = DelimitedCopy(stream, kind.delimiter, source, names)
            yield lambda batch, columns: delimited.append(batch.chunk, columns)
        elif isinstance(source, JsonLinesSource):
            lines = JsonLinesCopy(stream, names)
            yield lambda batch, columns: lines.append(batch.chunk, columns)
        else:
            with closing(load_parquet().ParquetCopy(stream, source, names)) as parquet:
                yield lambda batch, columns: parquet.append(batch.chunk, columns)


@contextmanager
def open_new(path: Path, types: Mapping[str, ColumnType]) -> Iterator[Write]:
    """Give a function that writes rows, given as columns of these names and types with None for null.

    The file stands under `path` once the block has ended well, or not at all. Raises `FileRefused` where it
    can't be written.
    """
    kind = find_kind(path)
    load = load_parquet if kind.family == "parquet" else None
    parquet = load() if load else None  # before the file is made: the extra may be missing
    with write_whole(path, is_gzip=kind.is_gzip) as stream:
        if parquet:
            with closing(parquet.ParquetWriter(stream, types)) as writer:
                yield writer.write
        elif kind.family == "delimited":
            yield DelimitedWriter(stream, kind.delimiter, types).write
        else:
            yield JsonLinesWriter(stream, types).write
