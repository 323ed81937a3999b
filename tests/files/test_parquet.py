import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flagrank.triage.errors import FileRefused
from tests.reading import read_features

COLUMNS: dict[str, list[Any]] = {
    "kind": ["MSG", "PRF", "NA"],
    "country": ["de", None, "fr"],
    "length": [1, 2, 3],
    "rating": [3.5, None, 0.0],
    "is fresh": [True, None, False],
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "reports.parquet"


def write(path: Path, **changed: object) -> Path:
    pq.write_table(pa.table({**COLUMNS, **{name.replace("_", " "): c for name, c in changed.items()}}), path)
    return path


def refuse(path: Path) -> FileRefused:
    with pytest.raises(FileRefused) as refusal:
        read_features(path)
    return refusal.value


def test_values_are_read_by_the_schema(path: Path) -> None:
    assert read_features(write(path)) == {**COLUMNS, "matches": [None] * 3}


def test_a_data_frame_with_gaps_reads_as_nulls(path: Path) -> None:
    frame = pd.DataFrame(COLUMNS)
    frame["kind"] = frame["kind"].astype("category")
    frame["length"] = frame["length"].astype("float64")
    frame["is fresh"] = frame["is fresh"].astype("float64")
    frame["matches"] = [float("nan"), 3, float("nan")]
    frame["country"] = [float("nan")] * 3
    pq.write_table(pa.Table.from_pandas(frame), path)
    found = read_features(path)
    assert found == {**COLUMNS, "matches": [None, 3, None], "country": [None] * 3}


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("kind", pa.array(COLUMNS["kind"]).dictionary_encode()),
        ("kind", pa.array(COLUMNS["kind"], pa.large_string())),
        ("length", pa.array([1, 2, 3], pa.uint8())),
        ("length", pa.array([1, 2, 3], pa.float32())),
        ("length", pa.array([Decimal("1.00"), Decimal("2.00"), Decimal("3.00")])),
        ("rating", pa.array([3.5, None, 0], pa.float16())),
        ("rating", pa.array([3.5, float("nan"), 0.0])),
        ("is fresh", pa.array(["YES", None, "false"])),
        ("is fresh", pa.array([1, None, 0], pa.int8())),
    ],
)
def test_what_holds_the_same_values_reads_the_same(path: Path, name: str, column: pa.Array) -> None:
    assert read_features(write(path, **{name: column}))[name] == COLUMNS[name]


@pytest.mark.parametrize(
    ("name", "column", "said"),
    [
        ("kind", ["MSG", "XYZ", "NA"], '"XYZ"; expected one of'),
        ("kind", ["MSG", None, "NA"], "null; expected one of"),
        ("length", [1, None, 3], "null; expected an integer"),
        ("length", [1.0, 2.5, 3.0], "2.5; expected an integer"),
        ("length", [1, 2**53 + 1, 3], "expected an integer from 0 to 1,000"),
        ("rating", [1.0, float("inf"), 3.0], "expected a number"),
        ("is fresh", ["yes", "perhaps", "no"], '"perhaps"; expected true or false'),
        ("is fresh", [0, 2, 1], "2; expected true or false"),
        ("country", ["de", "", "fr"], '""; expected a text'),
    ],
)
def test_a_bad_value_is_named_by_row_and_column(path: Path, name: str, column: list[Any], said: str) -> None:
    (problem,) = refuse(write(path, **{name: column})).fields
    assert problem.path == f"row 2, column {name}"
    assert said in problem.detail


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("length", ["1", "2", "3"]),
        ("length", [True, False, True]),
        ("length", pa.array([1, 2, 3], pa.timestamp("ns"))),
        ("length", pa.array([1, 2, 3], pa.duration("ns"))),
        ("rating", [[1.0], [2.0], [3.0]]),
        ("kind", [1, 2, 3]),
        ("kind", [b"MSG", b"MSG", b"MSG"]),
        ("kind", [{"a": 1}] * 3),
        ("is fresh", pa.array([1, 2, 3], pa.date32())),
    ],
)
def test_a_column_of_another_type_is_named_row_by_row(path: Path, name: str, column: object) -> None:
    places = [problem.path for problem in refuse(write(path, **{name: column})).fields]
    assert places == [f"row {row}, column {name}" for row in (1, 2, 3)]


def test_a_row_is_numbered_over_all_row_groups(path: Path) -> None:
    table = pa.table({name: column[:1] * 10_000 for name, column in COLUMNS.items()})
    bad = pa.table({**{name: column[:1] for name, column in COLUMNS.items()}, "length": [-1]})
    pq.write_table(pa.concat_tables([table, bad]), path, row_group_size=3_000)
    assert [problem.path for problem in refuse(path).fields] == ["row 10001, column length"]


def test_a_text_that_is_not_utf_8_is_refused(path: Path) -> None:
    broken = pa.Array.from_buffers(pa.string(), 3, pa.array([b"a", b"\xff", b"c"]).buffers())
    assert "not UTF-8" in refuse(write(path, country=broken)).detail


def test_a_file_that_is_cut_off_or_of_another_format_is_refused(path: Path) -> None:
    write(path)
    content = path.read_bytes()
    for broken in (
        content[:-9],
        b"PAR1" + content[300:],
        b"kind,length\n",
        content[:400] + bytes(200) + content[600:],
    ):
        path.write_bytes(broken)
        assert "can't be read as Parquet" in refuse(path).detail


def test_a_missing_column_is_refused_by_name(path: Path) -> None:
    pq.write_table(pa.table({"kind": ["MSG"]}), path)
    assert 'has no columns "country", "length", "rating", "is fresh"' in refuse(path).detail


def test_a_repeated_column_is_refused_by_name(path: Path) -> None:
    pq.write_table(pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["x", "x"]), path)
    assert '"x" more than once' in refuse(path).detail


def test_no_rows_are_a_file_of_no_rows(path: Path) -> None:
    pq.write_table(pa.table(COLUMNS).slice(0, 0), path)
    assert read_features(path)["kind"] == []


WITHOUT_PYARROW = """
import sys
sys.modules["pyarrow"] = None  # as where it is not installed: importing it raises ModuleNotFoundError
from flagrank.__main__ import main
main()
"""


@pytest.mark.parametrize("ending", ["csv", "jsonl.gz", "parquet"])
def test_only_parquet_needs_the_extra_and_says_so(tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"x.{ending}"
    command = [sys.executable, "-c", WITHOUT_PYARROW, "simulate", "--rows", "5", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if ending != "parquet":
        assert done.returncode == 0
        assert out.exists()
        return
    assert done.returncode == 1
    assert done.stderr.strip().endswith("Install it with: pip install 'flagrank[files]'")
    assert list(tmp_path.iterdir()) == []
