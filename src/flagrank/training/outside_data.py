"""The rows that come with an outside model: as their owner has them, and as the package will see them."""

import math
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from flagrank.scoring.columns import UNKNOWN_CATEGORY, ColumnEncoder, Matrix
from flagrank.triage.errors import TrainingRefused
from flagrank.triage.feature_schema import Feature, FeatureSchema, describe_expected, is_valid, show

UNKNOWN_WORD = "(unknown)"
"""What a model of words is given for a word that its schema does not list."""

Columns = Mapping[str, NDArray[Any]]
"""Columns by feature: (n,) float64 with NaN for null, or (n,) objects, texts with None for null."""

_POSITIVE, _NEGATIVE = {"1", "true", "yes"}, {"0", "false", "no"}


class OutsideData(msgspec.Struct, frozen=True):
    """Rows with labels."""

    columns: Columns
    """In full precision; a category's column holds words or codes, as its owner has them."""

    matrix: Matrix
    """The same as every package sees them, (n, f) float32."""

    labels: NDArray[np.int8]

    @property
    def word_columns(self) -> frozenset[str]:
        """The categories that the model is given as words."""
        return frozenset(name for name, column in self.columns.items() if column.dtype == object)


def read_data(data: Any, schema: FeatureSchema, target: str) -> OutsideData:  # noqa: ANN401
    """Take the columns of a schema and the labels from a data frame, or from any mapping of columns.

    A category may hold its words, or numbers: its codes, which are positions in the schema's `values`.
    Raises `TrainingRefused` naming the first value that breaks the schema, or a column that is missing.
    """
    if target in schema.names:
        raise TrainingRefused(
            f"{show(target)} is a feature of the schema too: the model would read the answer. Remove it "
            "there."
        )
    found = {name: _read_column(data, name) for name in (*schema.names, target)}
    labels = _read_labels(target, found.pop(target))
    columns = {feature.name: _check(feature, found[feature.name]) for feature in schema.feature}
    return OutsideData(columns, _encode(columns, schema), labels)


def decode(matrix: Matrix, schema: FeatureSchema, words: frozenset[str]) -> Columns:
    """The columns that (n, f) float32 stands for; those named in `words` as texts."""
    columns: dict[str, NDArray[Any]] = {}
    for position, feature in enumerate(schema.feature):
        values = matrix[:, position].astype(np.float64)
        if feature.name in words:
            columns[feature.name] = _spell(values, feature)
        else:
            columns[feature.name] = values
    return columns


def _spell(codes: NDArray[np.float64], feature: Feature) -> NDArray[Any]:
    """The word of each code, None for null."""
    texts = np.array([UNKNOWN_WORD, *feature.values, None], dtype=object)
    places = np.where(np.isnan(codes), len(texts) - 1, codes - UNKNOWN_CATEGORY).astype(int)
    words: NDArray[Any] = texts[places]
    return words


def _encode(columns: Columns, schema: FeatureSchema) -> Matrix:
    words: dict[str, Any] = dict(columns)
    for feature in schema.feature:
        if feature.type == "category" and columns[feature.name].dtype != object:
            words[feature.name] = _spell(columns[feature.name], feature)
    return ColumnEncoder(schema).encode_columns(words)


def _read_column(data: Any, name: str) -> list[Any]:  # noqa: ANN401 - as above
    try:
        column = data[name]
    except (KeyError, IndexError, TypeError) as error:
        raise TrainingRefused(
            f"data has no column {show(name)}. Give a data frame with a column for each feature and for the "
            "label, which target= names."
        ) from error
    values = column.tolist() if hasattr(column, "tolist") else list(column)
    return [None if _is_null(value) else value for value in values]


def _is_null(value: object) -> bool:
    is_marked = value is None or type(value).__name__ in {"NAType", "NaTType"}  # pandas' own
    return is_marked or (isinstance(value, float) and math.isnan(value))


def _read_labels(target: str, values: list[Any]) -> NDArray[np.int8]:
    words = [str(value).strip().lower().removesuffix(".0") for value in values]
    for row, word in enumerate(words):
        if word not in _POSITIVE | _NEGATIVE:
            raise TrainingRefused(
                f"data[{show(target)}] is {show(values[row])} in row {row}; expected 0 or 1, true or false, "
                "yes or no. Leave out rows without a label."
            )
    return np.array([word in _POSITIVE for word in words], np.int8)


def _check(feature: Feature, values: list[Any]) -> NDArray[Any]:
    """The column as float64, or as objects where it holds words."""
    if feature.type == "category" and not any(isinstance(value, str) for value in values):
        return _check_codes(feature, values)
    for row, value in enumerate(values):
        as_told = bool(value) if feature.type == "boolean" and value in (0, 1) else value
        if not is_valid(feature, as_told):
            raise _refuse_value(feature, row, value, describe_expected(feature))
    if feature.type == "category":
        column = np.empty(len(values), dtype=object)
        column[:] = values
        return column
    return np.array(values, dtype=np.float64)  # None becomes NaN


def _check_codes(feature: Feature, values: list[Any]) -> NDArray[np.float64]:
    least = UNKNOWN_CATEGORY if feature.open else 0
    for row, value in enumerate(values):
        known = value is not None and float(value).is_integer() and least <= value < len(feature.values)
        if not known and not (value is None and feature.may_be_null):
            expected = f"one of its words, or a code from {least:.0f} to {len(feature.values) - 1}"
            raise _refuse_value(feature, row, value, expected)
    return np.array(values, dtype=np.float64)


def _refuse_value(feature: Feature, row: int, value: object, expected: str) -> TrainingRefused:
    return TrainingRefused(
        f"data[{show(feature.name)}] is {show(value)} in row {row}; the schema expects {expected}. Mend the "
        "schema or the data: the server would refuse this row."
    )
