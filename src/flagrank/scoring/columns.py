"""Feature values -> the float32 matrix that every model sees; rounded to float32 here and nowhere else."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flagrank.triage.feature_schema import Feature, FeatureSchema
from flagrank.triage.report import Report, feature_values

UNKNOWN_CATEGORY = -1.0

Matrix = NDArray[np.float32]


class ColumnEncoder:
    """Encodes the features of a model's schema, whose values have been checked."""

    def __init__(self, schema: FeatureSchema, read_as: FeatureSchema | None = None) -> None:
        """`read_as` is the schema that reports were decoded by, where it holds more than the model's."""
        self._features = schema.feature
        self._codes = [_category_codes(feature) for feature in schema.feature]
        names = (read_as or schema).names
        self._positions = [names.index(name) for name in schema.names]

    def encode_reports(self, reports: list[Report]) -> Matrix:
        """Columns of reports. Returns (n, f) float32 in schema order."""
        return self._encode([feature_values(reports, position) for position in self._positions])

    def encode_columns(self, columns: Mapping[str, Sequence[Any]]) -> Matrix:
        """Columns by feature name, of one length, null is None. Returns (n, f) float32 in schema order."""
        return self._encode([columns[feature.name] for feature in self._features])

    def _encode(self, columns: Sequence[Sequence[Any]]) -> Matrix:
        matrix = np.empty((len(columns[0]), len(columns)), dtype=np.float32)  # (n, f)
        for position, (codes, values) in enumerate(zip(self._codes, columns, strict=True)):
            numbers = values if codes is None else [codes.get(value, UNKNOWN_CATEGORY) for value in values]
            matrix[:, position] = np.array(numbers, dtype=np.float64)  # None becomes NaN
        return matrix


def _category_codes(feature: Feature) -> dict[str | None, float | None] | None:
    if feature.type != "category":
        return None
    return {None: None, **{value: float(code) for code, value in enumerate(feature.values)}}
