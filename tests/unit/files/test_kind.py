from pathlib import Path

import pytest

from flagrank.files.kind import find_kind
from flagrank.triage.errors import FileRefused


@pytest.mark.parametrize(
    ("name", "family", "delimiter", "is_gzip"),
    [
        ("a.csv", "delimited", ",", False),
        ("a.b.CSV", "delimited", ",", False),
        ("a.tsv.gz", "delimited", "\t", True),
        ("a.b c.jsonl", "jsonl", "", False),
        ("a.jsonl.GZ", "jsonl", "", True),
        (".csv.parquet", "parquet", "", False),
    ],
)
def test_the_end_of_the_name_tells_the_kind(name: str, family: str, delimiter: str, *, is_gzip: bool) -> None:
    assert find_kind(Path("/some.csv/x") / name) == (family, delimiter, is_gzip)


@pytest.mark.parametrize(
    "name", ["csv", "a", "a.gz", "a.parquet.gz", "a.csv.zip", "a.csv.gz.gz", "a.xlsx", "a.json"]
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(FileRefused, match="tells no kind of file"):
        find_kind(Path(name))
