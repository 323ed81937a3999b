from typing import Any

import numpy as np
import pytest

from flagrank.scoring.columns import ColumnEncoder
from flagrank.triage.feature_schema import Feature, FeatureSchema
from flagrank.triage.report import Report, report_type

SCHEMA = FeatureSchema(
    (
        Feature("kind", "category", values=("b", "a"), open=True, nullable=True),
        Feature("count", "integer", nullable=True),
        Feature("rate", "number", optional=True),
        Feature("known", "boolean", nullable=True),
    )
)
REPORT = report_type(SCHEMA)
NAN = float("nan")


def report(**values: object) -> Report:
    return REPORT(**values)  # type: ignore[arg-type]


def test_categories_become_their_place_and_others_minus_one() -> None:
    columns: dict[str, list[Any]] = {
        "kind": ["a", "b", "other", None],
        "count": [1] * 4,
        "rate": [1.0] * 4,
        "known": [True] * 4,
    }
    assert np.array_equal(
        ColumnEncoder(SCHEMA).encode_columns(columns)[:, 0], [1, 0, -1, NAN], equal_nan=True
    )


def test_null_and_absent_become_nan_and_booleans_one_and_zero() -> None:
    reports = [
        report(f0="a", f1=None, f3=True),
        report(f0="a", f1=3.0, f2=None, f3=False),
        report(f0=None, f1=0, f2=2, f3=None),
    ]
    matrix = ColumnEncoder(SCHEMA).encode_reports(reports)
    assert matrix.dtype == np.float32
    assert np.array_equal(matrix, [[1, NAN, NAN, 1], [1, 3, NAN, 0], [NAN, 0, 2, NAN]], equal_nan=True)


def test_reports_and_columns_become_the_same_matrix() -> None:
    columns: dict[str, list[Any]] = {
        "kind": ["a", None],
        "count": [2**24 + 1, None],
        "rate": [0.1, None],
        "known": [False, None],
    }
    reports = [report(f0="a", f1=float(2**24 + 1), f2=0.1, f3=False), report(f0=None, f1=None, f3=None)]
    encoder = ColumnEncoder(SCHEMA)
    assert encoder.encode_columns(columns).tobytes() == encoder.encode_reports(reports).tobytes()


@pytest.mark.parametrize(("value", "rounded"), [(16_777_217, 16_777_216), (224_994_649, 224_994_656)])
def test_numbers_are_rounded_once_to_the_nearest_float32(value: int, rounded: int) -> None:
    columns: dict[str, list[Any]] = {"kind": ["a"], "count": [value], "rate": [0.1], "known": [True]}
    row = ColumnEncoder(SCHEMA).encode_columns(columns)[0]
    assert row[1] == rounded
    assert row[2] == np.float32(0.1)


def test_no_reports_become_a_matrix_without_rows() -> None:
    assert ColumnEncoder(SCHEMA).encode_reports([]).shape == (0, 4)


def test_a_model_takes_its_own_columns_of_a_wider_schema() -> None:
    needed = FeatureSchema((SCHEMA.feature[2], SCHEMA.feature[0]))
    matrix = ColumnEncoder(needed, SCHEMA).encode_reports([report(f0="a", f1=7.0, f2=0.5, f3=True)])
    assert matrix.tolist() == [[0.5, 1.0]]
