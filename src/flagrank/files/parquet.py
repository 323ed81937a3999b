"""Parquet: Arrow columns in, the same columns with further ones out, and columns of one's own out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self

import pyarrow as pa
import pyarrow.parquet as pq

from flagrank.files.batches import Fault, check_names, limit_rows
from flagrank.files.columns import Cells, Column
from flagrank.files.kind import ColumnType
from flagrank.files.lines import open_bytes
from flagrank.triage.errors import FileRefused

GROUP_ROWS = 2**17
GROUP_BYTES = 64 * 2**20

_ARROW_TYPES = {"text": pa.string(), "integer": pa.int64(), "number": pa.float64(), "boolean": pa.bool_()}


@dataclass
class ArrowChunk:
    """Rows of a Parquet file; `first` is the number of the first one, from 1."""

    batch: pa.RecordBatch
    first: int
    share_read: float
    faults: Sequence[Fault] = ()

    @property
    def rows(self) -> int:
        """How many rows."""
        return int(self.batch.num_rows)

    def read(self, column: Column) -> Cells:
        """The values of one column; one that the file lacks is null, and so is NaN."""
        place = self.batch.schema.get_field_index(column.name)
        if place < 0:
            return column.read_values([None] * self.rows)
        values = self.batch.column(place)
        if column.takes_numbers and _is_numeric(values.type):
            return column.read_values(values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))
        return column.read_values(_to_python(values))

    def find_place(self, row: int) -> tuple[str, int]:
        """The number of the row."""
        return "row", self.first + row

    def find_value(self, row: int, column: Column) -> object:
        """The value."""
        return _to_python(self.batch.column(column.name).slice(row, 1))[0]


class ParquetSource:
    """The rows of a Parquet file. Close it, or use it in `with`."""

    def __init__(self, path: Path, columns: Sequence[Column], taken: Sequence[str]) -> None:
        """Read and check the schema; raises `FileRefused`."""
        self._path = path
        open_bytes(path).close()
        try:
            self._file = pq.ParquetFile(path)
            self.schema = self._file.schema_arrow
        except (pa.ArrowException, OSError) as error:
            raise self._refuse(error) from error
        check_names(path, self.schema.names, columns, taken)

    def __iter__(self) -> Iterator[ArrowChunk]:
        """The rows, in chunks; holds one row group of the file at a time."""
        total = self._file.metadata.num_rows
        batch_rows = limit_rows(len(self.schema.names))
        done = 0
        try:
            for group in range(self._file.num_row_groups):
                # A reader of several groups holds on to what it read: 30 bytes a row (pyarrow 26).
                for batch in self._file.iter_batches(batch_rows, row_groups=[group]):
                    first, done = done + 1, done + batch.num_rows
                    if batch.num_rows:
                        yield ArrowChunk(batch, first, done / total)
        except (pa.ArrowException, OSError) as error:
            raise self._refuse(error) from error

    def _refuse(self, error: Exception) -> FileRefused:
        reason = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
        return FileRefused(f"{self._path} can't be read as Parquet: {reason}. Make the file again.")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()


class ParquetCopy:
    """Writes the columns of a source on, with float64 columns behind. Close it before the stream."""

    def __init__(self, stream: BinaryIO, source: ParquetSource, names: Sequence[str]) -> None:
        schema = source.schema
        for name in names:
            schema = schema.append(pa.field(name, pa.float64()))
        self._groups = _RowGroups(stream, schema)

    def append(self, chunk: ArrowChunk, columns: Sequence[Sequence[float]]) -> None:
        """Write rows; `columns` hold a value a row each."""
        added = [pa.array(column, pa.float64()) for column in columns]
        self._groups.add(
            pa.RecordBatch.from_arrays([*chunk.batch.columns, *added], schema=self._groups.schema)
        )

    def close(self) -> None:
        """Write what is still held, and the end of the file."""
        self._groups.close()


class ParquetWriter:
    """Writes columns of one's own. Close it before the stream."""

    def __init__(self, stream: BinaryIO, types: Mapping[str, ColumnType]) -> None:
        self._groups = _RowGroups(
            stream, pa.schema([(name, _ARROW_TYPES[kind]) for name, kind in types.items()])
        )

    def write(self, columns: Mapping[str, Sequence[Any]]) -> None:
        """Write rows."""
        schema = self._groups.schema
        arrays = [pa.array(columns[field.name], field.type) for field in schema]
        self._groups.add(pa.RecordBatch.from_arrays(arrays, schema=schema))

    def close(self) -> None:
        """Write what is still held, and the end of the file."""
        self._groups.close()


class _RowGroups:
    """Gathers batches into row groups of a size that readers like, in bounded memory."""

    def __init__(self, stream: BinaryIO, schema: pa.Schema) -> None:
        self.schema = schema
        self._writer = pq.ParquetWriter(stream, schema)
        self._held: list[pa.RecordBatch] = []
        self._rows = 0
        self._bytes = 0

    def add(self, batch: pa.RecordBatch) -> None:
        self._held.append(batch)
        self._rows += batch.num_rows
        self._bytes += batch.nbytes
        if self._rows >= GROUP_ROWS or self._bytes >= GROUP_BYTES:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._held:
            self._writer.write_table(pa.Table.from_batches(self._held, self.schema))
        self._held.clear()
        self._rows = self._bytes = 0


def _is_numeric(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _to_python(values: pa.Array) -> list[Any]:
    if pa.types.is_timestamp(values.type) or pa.types.is_date(values.type):
        values = values.cast(pa.timestamp("us"), safe=False)  # Python's own times hold no nanoseconds
    try:
        found: list[Any] = values.to_pylist()
    except UnicodeDecodeError as error:
        raise FileRefused("The file holds a text that is not UTF-8. Write it again.") from error
    return found
