"""What a file is, told by its name."""

from pathlib import Path
from typing import Literal, NamedTuple

from flagrank.triage.errors import FileRefused

Family = Literal["delimited", "jsonl", "parquet"]
ColumnType = Literal["text", "integer", "number", "boolean"]


class FileKind(NamedTuple):
    """How a file is written; `delimiter` stands between the cells of a delimited one."""

    family: Family
    delimiter: str
    is_gzip: bool


_KINDS: dict[tuple[str, ...], FileKind] = {
    (".csv",): FileKind("delimited", ",", is_gzip=False),
    (".csv", ".gz"): FileKind("delimited", ",", is_gzip=True),
    (".tsv",): FileKind("delimited", "\t", is_gzip=False),
    (".tsv", ".gz"): FileKind("delimited", "\t", is_gzip=True),
    (".jsonl",): FileKind("jsonl", "", is_gzip=False),
    (".jsonl", ".gz"): FileKind("jsonl", "", is_gzip=True),
    (".parquet",): FileKind("parquet", "", is_gzip=False),
}


def find_kind(path: Path) -> FileKind:
    """The kind of a file by the end of its name, in any case; raises `FileRefused` for others."""
    suffixes = tuple(suffix.lower() for suffix in path.suffixes)
    kind = _KINDS.get(suffixes[-2:]) or _KINDS.get(suffixes[-1:])
    if kind is None:
        raise FileRefused(
            f"{path} has a name that tells no kind of file. Name it .csv, .tsv or .jsonl (each also with "
            ".gz), or .parquet."
        )
    return kind
