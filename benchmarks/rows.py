"""Simulated reports as columns, as the model's matrix, and as request bodies."""

from typing import Any

import msgspec

from flagrank.scoring.columns import ColumnEncoder, Matrix
from flagrank.settings import load_schema
from flagrank.simulation.reports import simulate

SEED = 4


def simulated_columns(rows: int, seed: int = SEED) -> dict[str, list[Any]]:
    """Return the columns of `rows` simulated reports."""
    columns: dict[str, list[Any]] = {}
    for batch in simulate(rows, seed):
        for name, values in batch.items():
            columns.setdefault(name, []).extend(values)
    return columns


def request_bodies(reports: int, bodies: int) -> list[bytes]:
    """Return that many JSON bodies of so many reports each, all different, so that no cache stays warm."""
    columns = simulated_columns(reports * bodies)
    names = load_schema(None).names
    rows = [
        dict(zip(names, row, strict=True)) for row in zip(*(columns[name] for name in names), strict=True)
    ]
    return [msgspec.json.encode(rows[start : start + reports]) for start in range(0, len(rows), reports)]


def feature_matrices(rows: int, matrices: int) -> list[Matrix]:
    """Return the rows of `request_bodies` as the model sees them, each (rows, f) float32."""
    matrix = ColumnEncoder(load_schema(None)).encode_columns(simulated_columns(rows * matrices))
    return [matrix[start : start + rows] for start in range(0, len(matrix), rows)]
