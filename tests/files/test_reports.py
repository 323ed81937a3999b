"""Files of reports as tasks take them: what is read is what a request might have sent."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from flagrank.files.reports import read_reports
from flagrank.settings import load_default_policy
from flagrank.triage.errors import FileRefused
from flagrank.triage.feature_schema import FeatureSchema, parse_schema
from flagrank.triage.report import CONTEXT_FIELDS
from flagrank.triage.report_decoding import ReportDecoder

DEFAULT_POLICY = load_default_policy()

NOW = datetime(2026, 1, 5, tzinfo=UTC)
REASONS = DEFAULT_POLICY.severities
SCHEMA = """
[[feature]]
name = "kind"
type = "category"
open = true
nullable = true
[[feature]]
name = "count"
type = "integer"
optional = true
[[feature]]
name = "share"
type = "number"
nullable = true
[[feature]]
name = "is_new"
type = "boolean"
"""
CONTEXT = {
    "report_id": "r1",
    "reporter_id": "ann",
    "reported_id": "bob",
    "content_id": "c1",
    "content_url": "https://example.org/1",
    "content_text": 'one\ntwo "three", four',
    "reason": "scam",
    "exposure": 12.5,
    "reported_at": "2026-01-04T10:00:00+01:00",
}


@pytest.fixture
def schema() -> FeatureSchema:
    return parse_schema(SCHEMA, "schema.toml", CONTEXT_FIELDS)


def write_csv(folder: Path, *rows: Mapping[str, object]) -> Path:
    file = folder / "reports.csv"
    names = list(rows[0])
    lines: list[list[object]] = [[*names], *([row[name] for name in names] for row in rows)]
    quoted = [",".join('"' + str(cell).replace('"', '""') + '"' for cell in line) for line in lines]
    file.write_text("\n".join(quoted) + "\n")
    return file


def write_lines(folder: Path, *rows: Mapping[str, object]) -> Path:
    file = folder / "reports.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def test_cells_become_the_values_of_json(tmp_path: Path, schema: FeatureSchema) -> None:
    full = {"kind": "a", "count": "12.0", "share": "0.1", "is_new": "yes", **CONTEXT, "more": "x"}
    empty = dict.fromkeys(full, "") | {"is_new": "0"}
    first, second = read_reports(write_csv(tmp_path, full, empty), schema, REASONS, NOW)
    assert first == {"kind": "a", "count": 12, "share": 0.1, "is_new": True, **CONTEXT}
    assert [type(first[name]) for name in ("count", "is_new")] == [int, bool]
    assert second == {"kind": None, "share": None, "is_new": False}


def test_members_of_json_stay_as_they_are(tmp_path: Path, schema: FeatureSchema) -> None:
    rows = ({"kind": "a", "count": 2**53 - 1, "share": None, "is_new": False, **CONTEXT},)
    assert read_reports(write_lines(tmp_path, *rows), schema, REASONS, NOW) == list(rows)


def test_what_was_read_a_request_may_send(tmp_path: Path, schema: FeatureSchema) -> None:
    row: dict[str, object] = {"kind": "a", "count": "3", "share": "1e-3", "is_new": "true", **CONTEXT}
    reports = read_reports(write_csv(tmp_path, row, row | {"count": ""}), schema, REASONS, NOW)
    decoded = ReportDecoder(schema, REASONS).decode(msgspec.json.encode(reports), NOW)
    assert [report.reporter_id for report in decoded] == ["ann", "ann"]


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("report_id", "r" * 129),
        ("reporter_id", "a\tb"),
        ("content_url", "ftp://example.org"),
        ("content_text", "x" * 10_001),
        ("reason", "boredom"),
        ("exposure", "-1"),
        ("reported_at", "2026-01-05T10:00:00"),
        ("reported_at", "2026-02-05T10:00:00Z"),
        ("count", "1.5"),
    ],
)
@pytest.mark.parametrize("write", [write_csv, write_lines])
def test_a_field_that_a_request_may_not_have_is_named_by_line(
    tmp_path: Path, schema: FeatureSchema, *, write: object, name: str, bad: str
) -> None:
    good: dict[str, object] = {"kind": "a", "count": 3, "share": 0.5, "is_new": True, **CONTEXT}
    assert callable(write)
    number = {"count": 1.5, "exposure": -1}.get(name)
    value = number if write is write_lines and number is not None else bad
    with pytest.raises(FileRefused) as refused:
        read_reports(write(tmp_path, good, good | {name: value}), schema, REASONS, NOW)
    (problem,) = refused.value.fields
    assert problem.path.endswith(f", column {name}")
    assert problem.path.startswith("line ")
    assert len(problem.detail) < 300


@pytest.mark.parametrize(("bad", "said"), [(12, "is no text"), ("", "has 0 characters")])
def test_an_id_in_json_is_a_text_that_is_not_empty(
    tmp_path: Path, schema: FeatureSchema, bad: object, said: str
) -> None:
    row = {"kind": "a", "share": 0.5, "is_new": True, "report_id": bad}
    with pytest.raises(FileRefused, match=f"line 1, column report_id {said}"):
        read_reports(write_lines(tmp_path, row), schema, REASONS, NOW)


def test_a_file_of_the_most_reports_is_taken_and_one_more_is_not(
    tmp_path: Path, schema: FeatureSchema
) -> None:
    row: dict[str, object] = {"kind": "a", "share": 0.5, "is_new": True}
    assert len(read_reports(write_lines(tmp_path, *[row] * 10_000), schema, REASONS, NOW)) == 10_000
    with pytest.raises(FileRefused, match=r"more than 10,000 reports"):
        read_reports(write_lines(tmp_path, *[row] * 10_001), schema, REASONS, NOW)
    (tmp_path / "empty.csv").write_text("kind,share,is_new\n")
    with pytest.raises(FileRefused, match="has no reports"):
        read_reports(tmp_path / "empty.csv", schema, REASONS, NOW)
