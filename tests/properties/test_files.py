import csv
import gzip
import io
import json
import math
import tempfile
from itertools import pairwise
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from flagrank.files.columns import feature_column
from flagrank.files.reading import open_reports
from flagrank.files.writing import open_copy
from flagrank.triage.feature_schema import Feature, is_valid

texts = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=12)
cells = st.one_of(texts, st.sampled_from(["", '"', ",", "\t", "\r", "\n", '""', "NA", " ", "\ufeff"]))
tables = st.integers(1, 4).flatmap(
    lambda width: st.tuples(
        st.lists(cells, min_size=width, max_size=width, unique=True),
        st.lists(st.lists(cells, min_size=width, max_size=width), max_size=12),
    )
)
NUMBER = Feature("x", "number", range=(-1e300, 1e300), nullable=True)


def pass_on(content: bytes, source: str, out: str) -> bytes:
    """What a file becomes with two columns that number its rows."""
    with tempfile.TemporaryDirectory() as folder:
        path, target = Path(folder) / source, Path(folder) / out
        path.write_bytes(content)
        with open_reports(path, ()) as reports, open_copy(reports, target, ("+1", "+2")) as append:
            rows = 0
            for batch in reports.batches:
                numbers = [float(rows + row) for row in range(batch.chunk.rows)]
                append(batch, [numbers, [number / 3 for number in numbers]])
                rows += batch.chunk.rows
        written = target.read_bytes()
        return gzip.decompress(written) if out.endswith(".gz") else written


def encode(rows: list[list[str]], delimiter: str, quoting: int) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter, quoting=quoting, lineterminator="\r\n").writerows(rows)  # type: ignore[arg-type]
    return buffer.getvalue().encode()


@given(
    tables,
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    st.sampled_from(["a.csv", "a.tsv"]),
    st.sampled_from(["b.csv", "b.tsv.gz"]),
)
@settings(max_examples=200)
def test_every_cell_of_a_table_comes_out_as_it_was(
    table: tuple[list[str], list[list[str]]], quoting: int, source: str, out: str
) -> None:
    names, rows = table
    names = [name.lstrip("\ufeff") or "first" if place == 0 else name for place, name in enumerate(names)]
    if len(set(names)) < len(names):
        return
    delimiters = {"csv": ",", "tsv": "\t"}
    written = pass_on(encode([names, *rows], delimiters[source[2:5]], quoting), source, out)
    found = csv.reader(io.StringIO(written.decode(), newline=""), delimiter=delimiters[out[2:5]], strict=True)
    header, *others = found
    assert header == [*names, "+1", "+2"]
    assert [row[:-2] for row in others] == rows
    assert [row[-2:] for row in others] == [[repr(float(n)), repr(n / 3)] for n in range(len(rows))]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


@given(st.lists(st.dictionaries(texts, values, max_size=4), min_size=1, max_size=8), st.booleans())
def test_every_member_of_an_object_comes_out_as_it_was(rows: list[dict[str, object]], is_ascii: bool) -> None:  # noqa: FBT001
    content = "\n".join(json.dumps(row, ensure_ascii=is_ascii) for row in rows).encode()
    written = pass_on(content, "a.jsonl", "b.jsonl.gz").decode().split("\n")
    assert [json.loads(line) for line in written] == [
        {**row, "+1": float(number), "+2": number / 3} for number, row in enumerate(rows)
    ]


@given(
    st.lists(
        st.one_of(
            st.floats().map(repr), st.integers().map(str), texts, st.text("0123456789.eE+-_ ", max_size=6)
        )
    )
)
def test_a_column_of_cells_is_read_as_each_cell_alone(column: list[str]) -> None:
    reader = feature_column(NUMBER)
    together, bad = reader.read_text(column)
    alone = [reader.read_text([cell]) for cell in column]
    assert list(bad) == [row for row, found in enumerate(alone) if found.bad][:20]
    for row, (cell, found) in enumerate(zip(column, alone, strict=True)):
        value = float(together[row])
        assert value == found.values[0] or math.isnan(value) == math.isnan(found.values[0])
        if not found.bad and cell:
            assert is_valid(NUMBER, value)
            assert value == float(cell)


@given(st.lists(st.integers(0, 400), max_size=6))
def test_a_packed_file_may_be_cut_into_members_anywhere(cuts: list[int]) -> None:
    text = ("id,x\n" + "1,ü\n" * 100).encode()
    places = [0, *sorted(cuts), len(text)]
    parts = [gzip.compress(text[a:b]) for a, b in pairwise(places)]
    assert pass_on(b"".join(parts), "a.csv.gz", "b.csv") == pass_on(text, "a.csv", "b.csv")
