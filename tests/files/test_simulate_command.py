import csv
import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flagrank.cli.simulate import TYPES
from flagrank.files import read_table
from flagrank.simulation.reports import simulate
from tests.packages import read_default_schema

ROWS = 9_000


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "flagrank", "simulate", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def expected() -> dict[str, list[Any]]:
    """The simulator's own columns."""
    columns: dict[str, list[Any]] = {}
    for batch in simulate(ROWS, 5, 7.0):
        for name, values in batch.items():
            columns.setdefault(name, []).extend(values)
    return columns


def test_every_kind_of_file_holds_what_was_simulated(tmp_path: Path, expected: dict[str, list[Any]]) -> None:
    for ending in ("csv", "tsv.gz", "jsonl", "parquet"):
        done = run("--rows", ROWS, "--seed", 5, "--out", tmp_path / f"x.{ending}", "--json")
        assert json.loads(done.stdout) == {
            "rows": ROWS,
            "positives": sum(expected["actionable"]),
            "seed": 5,
            "synthetic": True,
            "out": str(tmp_path / f"x.{ending}"),
        }
    objects = [json.loads(line) for line in (tmp_path / "x.jsonl").read_text().splitlines()]
    assert {name: [row[name] for row in objects] for name in expected} == expected
    assert list(objects[0]) == list(expected)
    table = pq.read_table(tmp_path / "x.parquet")
    assert table.to_pydict() == expected
    assert table.schema.field("report_text_len").type == pa.int64()
    said = {None: "", True: "true", False: "false"}
    numbers = {name for name, kind in TYPES.items() if kind in {"integer", "number"}}
    cells = {
        name: [said.get(v, str(v)) for v in values]
        for name, values in expected.items()
        if name not in numbers
    }
    with (tmp_path / "x.csv").open(newline="") as file:
        rows = list(csv.DictReader(file, strict=True))
    for name, values in expected.items():
        if name in numbers:
            assert [float(row[name]) if row[name] else None for row in rows] == values
        else:
            assert [row[name] for row in rows] == cells[name]
    packed = gzip.decompress((tmp_path / "x.tsv.gz").read_bytes()).decode()
    assert packed.replace("\t", ",") == (tmp_path / "x.csv").read_text()


def test_what_is_simulated_can_be_learned_from(tmp_path: Path, expected: dict[str, list[Any]]) -> None:
    assert run("--rows", ROWS, "--seed", 5, "--out", tmp_path / "x.csv").returncode == 0
    table = read_table(
        tmp_path / "x.csv", read_default_schema(), target="actionable", time="reported_at", group="report_id"
    )
    assert table.labels.tolist() == expected["actionable"]
    assert table.features["abuse_type"] == expected["abuse_type"]
    assert (table.times[1:] >= table.times[:-1]).all()


def test_one_row_has_the_types_of_many(tmp_path: Path) -> None:
    schemas = []
    for rows in (1, 5_000):
        assert run("--rows", rows, "--out", tmp_path / "x.parquet").returncode == 0
        schemas.append(pq.read_schema(tmp_path / "x.parquet"))
    assert schemas[0] == schemas[1]


def test_help_and_summary_say_that_the_reports_are_synthetic(tmp_path: Path) -> None:
    assert "SYNTHETIC" in run("--help").stdout
    assert "SYNTHETIC" in run("--rows", 10, "--out", tmp_path / "x.csv").stdout


@pytest.mark.parametrize(
    ("out", "said"), [("x.txt", "tells no kind"), ("no/x.csv", "No such file"), (".", "no kind")]
)
def test_an_output_that_cannot_be_is_one_sentence(tmp_path: Path, out: str, said: str) -> None:
    done = run("--rows", 10, "--out", tmp_path / out)
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "flags", [("--rows", 0), ("--rows", "x"), ("--rows", 5, "--days", 0), ("--rows", 5, "--seed", -1)]
)
def test_wrong_usage_exits_2(tmp_path: Path, flags: tuple[object, ...]) -> None:
    assert run(*flags, "--out", tmp_path / "x.csv").returncode == 2
