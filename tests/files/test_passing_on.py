import csv
import gzip
import io
import json
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flagrank.files.reading import open_reports
from flagrank.files.writing import open_copy
from flagrank.triage.errors import FileRefused

ADDED = ("score", "priority")


def copy(source: Path, out: Path) -> None:
    """Pass a file on with two columns that count its rows, in tenths and in thirds."""
    with open_reports(source, (), taken=ADDED) as reports, open_copy(reports, out, ADDED) as append:
        rows = 0
        for batch in reports.batches:
            numbers = range(rows, rows + batch.chunk.rows)
            append(batch, [[number / 10 for number in numbers], [number / 3 for number in numbers]])
            rows += batch.chunk.rows


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_csv_rows_come_out_to_the_character(tmp_path: Path, end: str) -> None:
    rows = ['"id","a ""b""",ü,', '1,"x', 'y",  ,""', 'NA,"1,5",007,1e400', '"",null,😀,"\r"']
    source = tmp_path / "a.csv"
    source.write_bytes(end.join(rows).encode())
    copy(source, tmp_path / "b.csv")
    expected = ['"id","a ""b""",ü,,score,priority', '1,"x', 'y",  ,"",0.0,0.0']
    expected += [f'NA,"1,5",007,1e400,0.1,{1 / 3!r}', f'"",null,😀,"\r",0.2,{2 / 3!r}']
    assert (tmp_path / "b.csv").read_bytes().decode() == end.join(expected)


def test_a_byte_order_mark_is_not_passed_on(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbfid\n1\n")
    copy(tmp_path / "a.csv", tmp_path / "b.csv")
    assert (tmp_path / "b.csv").read_bytes() == b"id,score,priority\n1,0.0,0.0\n"


def test_a_csv_copied_as_packed_tsv_keeps_every_cell(tmp_path: Path) -> None:
    rows = [
        ["id", "tab\there", 'quote "x"'],
        ["1", "a\tb", ""],
        ["", "two\r\nlines", "lone\rreturn"],
        ["3", ",", " "],
    ]
    with (tmp_path / "a.csv").open("w", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows(rows)
    copy(tmp_path / "a.csv", tmp_path / "b.tsv.gz")
    text = gzip.decompress((tmp_path / "b.tsv.gz").read_bytes()).decode()
    found = list(csv.reader(io.StringIO(text, newline=""), delimiter="\t", strict=True))
    assert [row[:3] for row in found] == rows
    assert [row[3:] for row in found[:2]] == [["score", "priority"], ["0.0", "0.0"]]


def test_a_header_alone_is_copied_with_our_names(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,x\n")
    copy(tmp_path / "a.csv", tmp_path / "b.csv")
    assert (tmp_path / "b.csv").read_text() == "id,x,score,priority\n"


def test_json_lines_come_out_to_the_character(tmp_path: Path) -> None:
    lines = [
        '{"a":1.50, "b" : [1e2,"}"],"c":null }',
        "{}",
        "  ",
        '{"d": 12345678901234567890, "\\u00e9": "é"}\t',
    ]
    (tmp_path / "a.jsonl").write_text("\r\n".join(lines), encoding="utf-8")
    copy(tmp_path / "a.jsonl", tmp_path / "b.jsonl")
    assert (tmp_path / "b.jsonl").read_bytes().decode().split("\r\n") == [
        '{"a":1.50, "b" : [1e2,"}"],"c":null , "score": 0.0, "priority": 0.0}',
        f'{{"score": 0.1, "priority": {1 / 3!r}}}',
        f'{{"d": 12345678901234567890, "\\u00e9": "é", "score": 0.2, "priority": {2 / 3!r}}}\t',
    ]
    assert all(json.loads(line) for line in (tmp_path / "b.jsonl").read_text(encoding="utf-8").splitlines())


def test_arrow_columns_of_any_type_come_out_unchanged(tmp_path: Path) -> None:
    schema = pa.schema(
        [
            pa.field("id", pa.uint64(), nullable=False),
            pa.field("when", pa.timestamp("ns", "Europe/Berlin")),
            pa.field("word", pa.dictionary(pa.int32(), pa.string())),
            pa.field("list", pa.list_(pa.struct([("x", pa.float32()), ("y.z", pa.binary())]))),
            pa.field("price", pa.decimal128(20, 3), metadata={"unit": "euro"}),
            pa.field("half", pa.float16()),
            pa.field("nothing", pa.null()),
            pa.field("span", pa.duration("us")),
        ],
        metadata={"pandas": "{}", "mine": "kept"},
    )
    columns = [
        pa.array([2**64 - 1, 0, 7], pa.uint64()),
        pa.array([1, None, 3], pa.timestamp("ns", "Europe/Berlin")),
        pa.array(["a", None, "b"]).dictionary_encode(),
        pa.array([[{"x": 0.1, "y.z": b"\xff"}], None, []], schema.field("list").type),
        pa.array([Decimal("1.250"), None, Decimal(3)], pa.decimal128(20, 3)),
        pa.array([1.5, float("nan"), None], pa.float16()),
        pa.nulls(3),
        pa.array([1, 2, None], pa.duration("us")),
    ]
    pq.write_table(pa.Table.from_arrays(columns, schema=schema), tmp_path / "a.parquet", row_group_size=2)
    before = pq.read_table(tmp_path / "a.parquet")
    copy(tmp_path / "a.parquet", tmp_path / "b.parquet")
    after = pq.read_table(tmp_path / "b.parquet")
    assert after.select(before.schema.names).schema.equals(before.schema, check_metadata=True)
    assert str(after.select(before.schema.names).to_pydict()) == str(before.to_pydict())
    assert after.schema.metadata == before.schema.metadata
    assert after["score"].to_pylist() == [0.0, 0.1, 0.2]
    assert after.schema.field("priority").type == pa.float64()


def test_small_parquet_batches_make_large_row_groups(tmp_path: Path) -> None:
    table = pa.table({"id": range(200_000)})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=1_000)
    copy(tmp_path / "a.parquet", tmp_path / "b.parquet")
    with pq.ParquetFile(tmp_path / "b.parquet") as file:
        assert file.num_row_groups == 2
        assert file.read(["id"]).equals(table)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "id,score\n1,2\n"),
        ("a.jsonl", '{"id": 1}\n{"priority": 2}\n'),
        ("a.jsonl", '{"score": null}'),
    ],
)
def test_a_name_of_ours_in_the_file_is_refused_and_nothing_is_left(
    tmp_path: Path, name: str, content: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(FileRefused, match="already, which we would add"):
        copy(tmp_path / name, tmp_path / f"b{name}")
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("out", "said"),
    [
        ("b.parquet", "another kind"),
        ("b.jsonl", "another kind"),
        ("b.txt", "tells no kind"),
        ("b.gz", "tells no kind"),
        ("a.csv", "is the file that is read"),
        ("link.csv", "is the file that is read"),
        ("../here/a.csv", "is the file that is read"),
        ("none/b.csv", "No such file or directory"),
        ("folder.csv", "no regular file"),
    ],
)
def test_an_output_that_cannot_be_is_refused(tmp_path: Path, out: str, said: str) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "a.csv").write_text("id\n1\n")
    (folder / "link.csv").hardlink_to(folder / "a.csv")
    (folder / "folder.csv").mkdir()
    before = sorted(path.name for path in folder.iterdir())
    with pytest.raises(FileRefused) as refusal:
        copy(folder / "a.csv", folder / out)
    assert said in refusal.value.detail
    assert sorted(path.name for path in folder.iterdir()) == before
    assert (folder / "a.csv").read_text() == "id\n1\n"
