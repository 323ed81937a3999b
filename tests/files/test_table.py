import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flagrank.files import Table, read_table
from flagrank.settings import load_schema
from flagrank.triage.errors import FileRefused
from flagrank.triage.feature_schema import Feature, FeatureSchema
from tests.edits import COLUMNS, write_edits

ROOT = Path(__file__).resolve().parents[2]
REAL = ROOT.parent / "shared" / "data" / "edits_for_review.tsv"
SCHEMA = FeatureSchema(
    (Feature("x", "number", nullable=True), Feature("kind", "category", values=("a",), open=True))
)


def read(path: Path, text: str, *, group: str | None = None, time: str | None = None) -> Table:
    path.write_text(text, encoding="utf-8")
    return read_table(path, SCHEMA, target="y", group=group, time=time)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "reports.csv"


def test_a_table_holds_features_labels_groups_and_times(path: Path) -> None:
    text = "x,y,kind,who,when\n1,yes,a,12,3\n,No,other,,1\n2.5,TRUE,a,x y,2\n1,0,a,12,10\n"
    table = read(path, text, group="who", time="when")
    assert table.rows == 4
    assert np.array_equal(table.features["x"], [1, np.nan, 2.5, 1], equal_nan=True)
    assert table.features["kind"] == ["a", "other", "a", "a"]
    assert table.labels.tolist() == [1, 0, 1, 0]
    assert table.labels.dtype == np.int8
    assert table.groups == ["12", None, "x y", "12"]
    assert table.times.tolist() == [3, 1, 2, 10]


@pytest.mark.parametrize(
    ("times", "order"),
    [
        (["2026-01-01T00:00:00Z", "2026-01-01T00:00:00+01:00", "2025-12-31T23:30:00.000001Z"], [2, 0, 1]),
        (["9007199254740993", "9007199254740992", "9007199254740994"], [1, 0, 2]),
        (["1.5", "1e0", "-3"], [2, 1, 0]),
    ],
)
def test_times_keep_their_order(path: Path, times: list[str], order: list[int]) -> None:
    rows = "".join(f"1,1,a,{time}\n" for time in times)
    found = read(path, f"x,y,kind,when\n{rows}", time="when").times
    assert np.unique(found, return_inverse=True)[1].tolist() == order


def test_times_and_groups_of_typed_files_are_read(tmp_path: Path) -> None:
    path = tmp_path / "reports.parquet"
    moments = [datetime(2026, 1, day, tzinfo=UTC) for day in (3, 1, 2)]
    table = pa.table(
        {
            "x": [1.0] * 3,
            "y": [True, False, True],
            "kind": ["a"] * 3,
            "when": moments,
            "who": [1.0, None, 2.5],
        }
    )
    pq.write_table(table, path)
    found = read_table(path, SCHEMA, target="y", time="when", group="who")
    assert np.argsort(found.times).tolist() == [1, 2, 0]
    assert found.groups == ["1", None, "2.5"]
    assert found.labels.tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("times", "place"),
    [
        (["1", "2026-01-01T00:00:00Z"], "line 3"),
        (["2026-01-01T00:00:00Z", "1"], "line 3"),
        (["1", ""], "line 3"),
        (["yesterday", "2"], "line 2"),
        (["2026-01-01T00:00:00", "2"], "line 2"),
        (["2026-02-30T00:00:00Z", "2"], "line 2"),
        (["1e999", "2"], "line 2"),
        (["nan", "2"], "line 2"),
    ],
)
def test_what_orders_nothing_is_refused_by_line(path: Path, times: list[str], place: str) -> None:
    rows = "".join(f"1,1,a,{time}\n" for time in times)
    with pytest.raises(FileRefused) as refusal:
        read(path, f"x,y,kind,when\n{rows}", time="when")
    assert refusal.value.fields[0].path == f"{place}, column when"


def test_kinds_of_time_that_change_far_into_a_file_are_refused(path: Path) -> None:
    rows = "1,1,a,5\n" * 10_000 + "1,1,a,2026-01-01T00:00:00Z\n" * 10_000
    with pytest.raises(FileRefused):
        read(path, f"x,y,kind,when\n{rows}", time="when")
    rows = "1,1,a,5\n" * 4_096 + "1,1,a,2026-01-01T00:00:00Z\n" * 4_096
    with pytest.raises(FileRefused, match="times in some rows and numbers in others"):
        read(path, f"x,y,kind,when\n{rows}", time="when")


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([0, 1, 2, 1], '"1" (2), "0" (1), "2" (1); expected 0/1'),
        ([-1, 1, 1], '"1" (2), "-1" (1); expected 0/1'),
        (["true", "", "false", ""], 'empty (2), "true" (1), "false" (1); expected'),
        (["good", "bad"], '"good" (1), "bad" (1)'),
        (range(100, 200), "and 92 others"),
        (["NA", "1"], '"NA" (1), "1" (1)'),
        ([" 1", "1"], '" 1" (1)'),
    ],
)
def test_labels_that_are_none_are_refused_with_counts(path: Path, labels: list[object], said: str) -> None:
    rows = "".join(f"1,{label},a\n" for label in labels)
    with pytest.raises(FileRefused) as refusal:
        read(path, f"x,y,kind\n{rows}")
    assert said in refusal.value.detail
    assert "not taken as negatives" in refusal.value.detail


def test_typed_labels_are_read_and_nulls_counted(tmp_path: Path) -> None:
    path = tmp_path / "reports.jsonl"
    labels = [True, 0, 1.0, "Yes", False]
    path.write_text("".join(json.dumps({"x": 1, "kind": "a", "y": label}) + "\n" for label in labels))
    assert read_table(path, SCHEMA, target="y").labels.tolist() == [1, 0, 1, 1, 0]
    path.write_text("".join(json.dumps({"x": 1, "kind": "a", "y": label}) + "\n" for label in [None, [1], 1]))
    with pytest.raises(FileRefused, match="empty"):
        read_table(path, SCHEMA, target="y")


@pytest.mark.parametrize(
    ("text", "roles", "said"),
    [
        ("x,kind\n1,a\n", {}, 'no column "y"'),
        ("x,y,kind\n1,1,a\n", {"group": "who"}, 'no column "who"'),
        ("x,y,kind\n1,1,a\n", {"time": "when"}, 'no column "when"'),
        ("x,y,kind\n", {}, "has no rows"),
        ("x,y,kind\nhigh,maybe,a\n", {}, "line 2, column x"),
    ],
)
def test_what_can_teach_nothing_is_refused(path: Path, text: str, roles: dict[str, str], said: str) -> None:
    with pytest.raises(FileRefused) as refusal:
        read(path, text, **roles)
    assert said in refusal.value.detail


def test_a_feature_is_no_target(path: Path) -> None:
    path.write_text("x,kind\n1,a\n")
    with pytest.raises(FileRefused, match="the model would read the answer"):
        read_table(path, SCHEMA, target="x")


def test_a_feature_may_be_the_time_or_the_group_too(path: Path) -> None:
    table = read(path, "x,y,kind\n2,1,a\n1,0,b\n", group="kind", time="x")
    assert table.groups == ["a", "b"]
    assert table.times.tolist() == [2, 1]
    assert table.features["x"].tolist() == [2, 1]


def test_progress_tells_rows_and_how_many_there_are(path: Path) -> None:
    path.write_text("x,y,kind\n" + "1,1,a\n" * 50_000)
    seen: list[tuple[int, int]] = []
    read_table(path, SCHEMA, target="y", progress=lambda done, total: seen.append((done, total)))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1] == (50_000, 50_000)
    assert all(25_000 < total < 100_000 for _, total in seen[3:])


@pytest.mark.parametrize(
    "is_real",
    [
        False,
        pytest.param(
            True, marks=pytest.mark.skipif(not REAL.exists(), reason="no real data beside the checkout")
        ),
    ],
)
def test_the_review_items_are_read_by_the_schema_in_examples(tmp_path: Path, is_real: bool) -> None:  # noqa: FBT001
    path = REAL
    if not is_real:
        path = tmp_path / "edits.tsv"
        write_edits(path, 2_000)
    with path.open() as file:
        assert tuple(next(file).split()) == COLUMNS
        rows = [line.rstrip("\n").split("\t") for line in file]
    schema = load_schema(ROOT / "examples" / "edits_for_review.toml")
    table = read_table(path, schema, target="reverted", time="item_id")
    assert table.rows == len(rows)
    assert table.labels.tolist() == [int(row[-1] == "True") for row in rows]
    assert table.times.tolist() == [int(row[0]) for row in rows]
    assert table.features["seconds_since_registration"].tolist() == [float(row[9]) for row in rows]
    assert table.features["user_is_anonymous"].tolist() == [float(row[7] == "True") for row in rows]
