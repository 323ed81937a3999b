from pathlib import Path

import pytest

from flagrank.files.delimited import MAX_CELL_CHARS
from flagrank.triage.errors import FileRefused
from flagrank.triage.feature_schema import FeatureSchema
from tests.reading import GOOD, HEADER, SCHEMA, read_features, write_rows


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "reports.csv"


def refuse(path: Path) -> FileRefused:
    with pytest.raises(FileRefused) as refusal:
        read_features(path)
    return refusal.value


def test_each_type_of_cell_is_read_by_the_schema(path: Path) -> None:
    write_rows(path, GOOD, 'PRF,"a, b",12.0,,NO,', "NA,null,1e2,+.5,0,1E3", "MSG,,007,5.,Yes,0")
    assert read_features(path) == {
        "kind": ["MSG", "PRF", "NA", "MSG"],
        "country": ["de", "a, b", "null", None],
        "length": [12, 12, 100, 7],
        "rating": [3.5, None, 0.5, 5],
        "is fresh": [1, 0, 0, 1],
        "matches": [7, None, 1000, 0],
    }


@pytest.mark.parametrize(
    ("row", "column", "said"),
    [
        ("XYZ,de,1,1,1,1", "kind", '"XYZ"; expected one of "MSG", "PRF", "NA"'),
        (" MSG,de,1,1,1,1", "kind", '" MSG"'),
        ("msg,de,1,1,1,1", "kind", '"msg"'),
        (",de,1,1,1,1", "kind", "null; expected one of"),
        ("MSG,d\x01e,1,1,1,1", "country", "expected a text"),
        ("MSG,de,12.5,1,1,1", "length", "12.5; expected an integer from 0 to 1,000"),
        ("MSG,de,1001,1,1,1", "length", "1001; expected"),
        ("MSG,de,-1,1,1,1", "length", "-1; expected"),
        ("MSG,de,,1,1,1", "length", "null; expected an integer"),
        ("MSG,de,true,1,1,1", "length", '"true"; expected an integer'),
        ("MSG,de, 5,1,1,1", "length", '" 5"; expected'),
        ("MSG,de,1_0,1,1,1", "length", '"1_0"; expected'),
        ("MSG,de,0x1,1,1,1", "length", '"0x1"; expected'),
        ("MSG,de,\u0665,1,1,1", "length", '"\\u0665"; expected'),
        ("MSG,de,1-2,1,1,1", "length", '"1-2"; expected'),
        ("MSG,de,e,1,1,1", "length", '"e"; expected'),
        ("MSG,de,1e999,1,1,1", "length", '"1e999"; expected'),
        ("MSG,de,1,NaN,1,1", "rating", '"NaN"; expected a number from 0 to 5'),
        ("MSG,de,1,NA,1,1", "rating", '"NA"; expected'),
        ("MSG,de,1,null,1,1", "rating", '"null"; expected'),
        ("MSG,de,1, ,1,1", "rating", '" "; expected'),
        ("MSG,de,1,inf,1,1", "rating", '"inf"; expected'),
        ("MSG,de,1,5.01,1,1", "rating", "5.01; expected"),
        ('MSG,de,1,"3,5",1,1', "rating", '"3,5"; expected'),
        ("MSG,de,1,1,2,1", "is fresh", '"2"; expected true or false'),
        ("MSG,de,1,1,t,1", "is fresh", '"t"; expected true or false'),
        ("MSG,de,1,1,1,1e10", "matches", "10000000000; expected"),
    ],
)
def test_a_bad_cell_is_named_by_line_and_column(path: Path, row: str, column: str, said: str) -> None:
    refusal = refuse(write_rows(path, GOOD, row, GOOD))
    (problem,) = refusal.fields
    assert problem.path == f"line 3, column {column}"
    assert problem.detail.startswith(f"line 3, column {column} is ")
    assert said in problem.detail
    assert problem.detail in refusal.detail


def test_twenty_faults_are_named_in_the_order_of_the_file(path: Path) -> None:
    rows = [GOOD, "PRF,de,x,9,maybe,-1", "too,few"] * 2_000
    refusal = refuse(write_rows(path, *rows))
    lines = [problem.path for problem in refusal.fields]
    of_a_row = ["column length", "column rating", "column is fresh", "column matches"]
    expected = [
        place
        for line in (3, 6, 9, 12)
        for place in (*(f"line {line}, {column}" for column in of_a_row), f"line {line + 1}")
    ]
    assert lines == expected
    assert "20 faults or more" in refusal.detail


def test_a_fault_in_the_last_row_of_many_is_found(path: Path) -> None:
    refusal = refuse(write_rows(path, *[GOOD] * 10_000, "MSG,de,x,1,1,1"))
    assert [problem.path for problem in refusal.fields] == ["line 10002, column length"]


def test_a_fault_is_named_by_the_line_its_row_starts_on(path: Path) -> None:
    rows = ['MSG,"two\r\nlines",1,1,1,1', "", 'PRF,"three\n\nlines",x,1,1,1']
    refusal = refuse(write_rows(path, *rows, header=HEADER.replace("country", '"coun\ntry",country')))
    assert "line 1" not in refusal.detail
    assert [problem.path for problem in refusal.fields] == ["line 3", "line 6"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\n" + HEADER.encode() + b"\n", "has no header"),
        (b"\xef\xbb\xbf", "has no header"),
        (f"{HEADER}\n{GOOD}\nMSG,de\n".encode(), "line 3 has 2 cells; the header has 6"),
        (f"{HEADER}\n{GOOD},\n".encode(), "line 2 has 7 cells; the header has 6"),
        (f'{HEADER}\n{GOOD}\nMSG,"de,1,1,1,1\n{GOOD}\n'.encode(), "line 3 can't be split into cells"),
        (f'{HEADER}\nMSG,"d"e,1,1,1,1\n'.encode(), "line 2 can't be split into cells"),
        (f'"{HEADER}\n'.encode(), "line 1 can't be split into cells"),
        (f"{HEADER}\r{GOOD}\r".encode(), "line 1 can't be split into cells"),
        (f"{HEADER}\n{GOOD}\n".encode("utf-16"), "is not UTF-8"),
        (f"{HEADER}\n{GOOD}\nMSG,d\xe9,1,1,1,1\n".encode("latin-1"), "line 3 is not UTF-8 at its byte 6"),
        (f"{HEADER}\n{GOOD}\nMSG,d\0e,1,1,1,1\n".encode(), "line 3 holds a NUL"),
        (f'{HEADER}\nMSG,"{"x" * (MAX_CELL_CHARS + 1)}",1,1,1,1\n'.encode(), "line 2 can't be split"),
    ],
)
def test_what_is_no_table_is_refused_in_a_sentence(path: Path, content: bytes, said: str) -> None:
    path.write_bytes(content)
    refusal = refuse(path)
    assert said in refusal.detail
    assert refusal.detail.endswith(".")


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (f"{HEADER},kind", '"kind" more than once'),
        (f"{HEADER},other,other", '"other" more than once'),
        (HEADER.replace("rating", "score"), 'has no column "rating"; its columns are "kind", "country"'),
        (HEADER.replace(",", ";"), "has no column"),
        (HEADER.replace("kind", " kind"), 'has no column "kind"; its columns are " kind"'),
    ],
)
def test_names_that_repeat_or_lack_are_refused_by_name(path: Path, header: str, said: str) -> None:
    assert said in refuse(write_rows(path, header=header)).detail


def test_a_mark_and_windows_line_ends_are_no_part_of_names_and_cells(path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbf" + f"{HEADER}\r\n{GOOD}\r\n{GOOD}".encode())
    assert read_features(path)["kind"] == ["MSG", "MSG"]
    assert read_features(path)["matches"] == [7, 7]


def test_columns_may_stand_in_any_order_and_an_optional_one_may_lack(path: Path) -> None:
    write_rows(path, "x,true,1,2,de,MSG", header="other,is fresh,rating,length,country,kind")
    found = read_features(path)
    assert found["matches"] == [None]
    assert (found["kind"], found["length"], found["is fresh"]) == (["MSG"], [2], [1])


def test_types_come_from_the_schema_and_not_from_the_first_rows(path: Path) -> None:
    write_rows(path, *["MSG,de,1,4,1,1"] * 60_000, "MSG,de,1,4.5,1,1")
    assert read_features(path)["rating"][-2:] == [4, 4.5]


def test_tabs_separate_a_tsv_file(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "x.TSV", GOOD.replace(",", "\t"), header=HEADER.replace(",", "\t"))
    assert read_features(path)["length"] == [12]


def test_blank_lines_are_no_rows(path: Path) -> None:
    write_rows(path, "", GOOD, "", "", GOOD, "")
    assert read_features(path)["length"] == [12, 12]


def test_a_blank_line_is_a_null_where_the_file_has_one_column(path: Path) -> None:
    rating = FeatureSchema((SCHEMA.feature[3],))
    write_rows(path, "1", "", "2", header="rating")
    assert read_features(path, rating)["rating"] == [1, None, 2]


def test_a_header_alone_is_a_file_of_no_rows(path: Path) -> None:
    assert read_features(write_rows(path))["kind"] == []


def test_a_name_of_any_characters_is_found(path: Path) -> None:
    names = ["a.b", 'say "hi"', "x,y", "größe", "[1]", "two\nlines"]
    features = tuple(type(SCHEMA.feature[3])(name, "number") for name in names)
    quoted = ",".join('"' + name.replace('"', '""') + '"' for name in names)
    write_rows(path, "1,2,3,4,5,6", header=quoted)
    assert list(read_features(path, FeatureSchema(features)).values()) == [[1], [2], [3], [4], [5], [6]]
