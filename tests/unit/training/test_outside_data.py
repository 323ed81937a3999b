from typing import Any

import numpy as np
import pandas as pd
import pytest

from flagrank.training.outside_data import UNKNOWN_WORD, decode, read_data
from flagrank.triage.errors import TrainingRefused
from flagrank.triage.feature_schema import Feature, FeatureSchema

SCHEMA = FeatureSchema(
    (
        Feature("kind", "category", values=("a", "b"), open=True, nullable=True),
        Feature("size", "integer", range=(0, 10**9), nullable=True),
        Feature("is_new", "boolean"),
    )
)


def _make_frame(**changes: Any) -> pd.DataFrame:  # noqa: ANN401 - any column
    columns = {
        "kind": ["a", "b", "other", None],
        "size": [1, 16_777_217, None, 0],
        "is_new": [True, False, True, False],
        "actionable": [1, 0, 1, 0],
    }
    return pd.DataFrame(columns | changes)


def test_a_frame_becomes_exact_columns_and_the_matrix_that_packages_see() -> None:
    data = read_data(_make_frame(), SCHEMA, "actionable")
    assert data.columns["size"].tolist()[:2] == [1, 16_777_217]
    np.testing.assert_array_equal(
        data.matrix, np.array([[0, 1, 1], [1, 16_777_216, 0], [-1, np.nan, 1], [np.nan, 0, 0]], np.float32)
    )
    assert data.labels.tolist() == [1, 0, 1, 0]
    assert data.word_columns == {"kind"}


@pytest.mark.parametrize("kind", ["string", "category", object])
def test_every_type_of_pandas_reads_alike(kind: Any) -> None:  # noqa: ANN401 - a name or a type
    frame = _make_frame()
    usual = read_data(frame, SCHEMA, "actionable")
    typed = frame.assign(
        kind=frame["kind"].astype(kind),
        size=frame["size"].astype("Int64"),
        is_new=frame["is_new"].astype("boolean"),
    )
    found = read_data(typed, SCHEMA, "actionable")
    np.testing.assert_array_equal(found.matrix, usual.matrix)


def test_plain_mappings_and_codes_are_taken_too() -> None:
    data = read_data(
        {
            "kind": np.array([0.0, -1, np.nan]),
            "size": [1, 2, 3],
            "is_new": [1, 0, 1],
            "label": ["yes", "No", "TRUE"],
        },
        SCHEMA,
        "label",
    )
    np.testing.assert_array_equal(data.matrix[:, 0], np.array([0, -1, np.nan], np.float32))
    assert data.columns["kind"].dtype == np.float64
    assert data.word_columns == frozenset()
    assert data.labels.tolist() == [1, 0, 1]


def test_a_matrix_is_told_back_in_words_or_codes() -> None:
    matrix = np.array([[0, 5, 1], [-1, 6, 0], [np.nan, np.nan, 1]], np.float32)
    words = decode(matrix, SCHEMA, frozenset({"kind"}))
    assert words["kind"].tolist() == ["a", UNKNOWN_WORD, None]
    np.testing.assert_array_equal(decode(matrix, SCHEMA, frozenset())["kind"], [0, -1, np.nan])
    np.testing.assert_array_equal(words["size"], [5, 6, np.nan])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"size": [1, 2, -3, 4]}, r'data\["size"\] is -3.* in row 2; the schema expects an integer from 0'),
        ({"size": [1, 2.5, 3, 4]}, r'data\["size"\] is 2.5 in row 1'),
        ({"is_new": [True, False, None, True]}, r'data\["is_new"\] is null in row 2'),
        ({"kind": [0, 1, 2, 0]}, r'data\["kind"\] is 2.* in row 2; .* or a code from -1 to 1'),
        ({"kind": ["a", 5, "b", "a"]}, r'data\["kind"\] is 5 in row 1'),
        ({"actionable": [1, 0, None, 1]}, r'data\["actionable"\] is null in row 2; expected 0 or 1'),
        ({"actionable": [1, 0, 2, 1]}, r'data\["actionable"\] is 2 in row 2'),
    ],
)
def test_a_value_that_a_server_would_refuse_is_named(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(TrainingRefused, match=told):
        read_data(_make_frame(**changes), SCHEMA, "actionable")


def test_a_missing_column_and_a_label_among_the_features_are_named() -> None:
    with pytest.raises(TrainingRefused, match='data has no column "size"'):
        read_data(_make_frame().drop(columns="size"), SCHEMA, "actionable")
    with pytest.raises(TrainingRefused, match='data has no column "label"'):
        read_data(_make_frame(), SCHEMA, "label")
    with pytest.raises(TrainingRefused, match="would read the answer"):
        read_data(_make_frame(), SCHEMA, "size")
