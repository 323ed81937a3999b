import json
from pathlib import Path
from typing import Any

import pytest

from flagrank.triage.errors import FileRefused
from tests.reading import read_features

GOOD: dict[str, Any] = {
    "kind": "MSG",
    "country": None,
    "length": 12,
    "rating": 3.5,
    "is fresh": True,
    "matches": 7,
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "reports.jsonl"


def write(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def refuse(path: Path) -> FileRefused:
    with pytest.raises(FileRefused) as refusal:
        read_features(path)
    return refusal.value


def test_values_are_read_by_the_schema(path: Path) -> None:
    other = {"kind": "NA", "country": "fr", "length": 12.0, "rating": None, "is fresh": 0, "x": [1, {"y": 2}]}
    assert read_features(write(path, GOOD, other, {**GOOD, "is fresh": "No"})) == {
        "kind": ["MSG", "NA", "MSG"],
        "country": [None, "fr", None],
        "length": [12, 12, 12],
        "rating": [3.5, None, 3.5],
        "is fresh": [1, 0, 0],
        "matches": [7, None, 7],
    }


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("kind", "XYZ", '"XYZ"; expected one of'),
        ("kind", None, "null; expected one of"),
        ("kind", 1, "1; expected one of"),
        ("kind", ["MSG"], "expected one of"),
        ("country", "", '""; expected a text'),
        ("country", "\ud800", "expected a text"),
        ("country", {"a": 1}, "expected a text"),
        ("length", 12.5, "12.5; expected an integer"),
        ("length", "12", '"12"; expected an integer'),
        ("length", True, "true; expected an integer"),
        ("length", None, "null; expected an integer"),
        ("length", 10**30, "expected an integer"),
        ("length", 10**320, "expected an integer"),
        ("length", [1], "expected an integer"),
        ("rating", 6, "6; expected a number from 0 to 5"),
        ("is fresh", "maybe", '"maybe"; expected true or false'),
        ("is fresh", 2, "2; expected true or false"),
        ("is fresh", [], "expected true or false"),
    ],
)
def test_a_bad_value_is_named_by_line_and_column(path: Path, column: str, value: object, said: str) -> None:
    (problem,) = refuse(write(path, GOOD, {**GOOD, column: value}, GOOD)).fields
    assert problem.path == f"line 2, column {column}"
    assert said in problem.detail
    assert problem.detail.isascii()


def test_a_missing_member_is_named_unless_it_is_optional(path: Path) -> None:
    lacking = {name: value for name, value in GOOD.items() if name not in {"rating", "matches"}}
    refusal = refuse(write(path, GOOD, lacking))
    assert [problem.path for problem in refusal.fields] == ["line 2, column rating"]
    assert "is missing; expected a number from 0 to 5" in refusal.detail


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"kind": "MSG"', "line 2 is no JSON"),
        (b'{"kind": "MSG"} {}', "line 2 is no JSON: Extra data at column 17"),
        (b'{"rating": NaN}', "line 2 is no JSON: NaN is no value of JSON"),
        (b'{"x": -Infinity}', "line 2 is no JSON: -Infinity"),
        (b'{"kind": "MSG", "kind": "MSG"}', 'line 2 is no JSON: the member "kind" is given more than once'),
        (b'{"x": {"y": 1, "y": 1}}', 'the member "y" is given more than once'),
        (b'["MSG"]', "line 2 is JSON, but no object"),
        (b"12", "line 2 is JSON, but no object"),
        (b'{"x": ' + b"9" * 5_000 + b"}", "line 2 is no JSON"),
        (b'{"x": ' + b"[" * 200_000, "line 2 is"),
        (b'{"kind": "MSG\0"}', "line 2 holds a NUL"),
        (b'{"kind": "\xff"}', "line 2 is not UTF-8"),
    ],
)
def test_a_line_that_is_no_object_is_named(path: Path, line: bytes, said: str) -> None:
    path.write_bytes(json.dumps(GOOD).encode() + b"\n" + line + b"\n")
    assert said in refuse(path).detail


def test_twenty_faults_are_named_and_reading_ends(path: Path) -> None:
    refusal = refuse(write(path, *[GOOD, {**GOOD, "length": -1}] * 20_000))
    assert [problem.path for problem in refusal.fields] == [
        f"line {line}, column length" for line in range(2, 42, 2)
    ]


def test_blank_lines_a_mark_and_windows_line_ends_are_tolerated(path: Path) -> None:
    line = json.dumps(GOOD).encode()
    path.write_bytes(b"\xef\xbb\xbf" + line + b"\r\n\r\n  \n" + line)
    assert read_features(path)["length"] == [12, 12]


def test_an_empty_file_is_refused(path: Path) -> None:
    path.write_bytes(b"")
    assert "is empty" in refuse(path).detail
