"""Where the score of a model that is not ours to look into jumps, found by bisection."""

import numpy as np
from numpy.typing import NDArray

from flagrank.scoring.columns import Matrix
from flagrank.training.parity import NativeScorer
from flagrank.triage.feature_schema import FeatureSchema

_ROWS_A_COLUMN = 512


def find_jumps(score: NativeScorer, schema: FeatureSchema, data: Matrix, seed: int) -> dict[int, Matrix]:
    """Values by column, each the first float32 past a place where a score jumps; all, by steps, for trees.

    Rows of (n, f) get two values of a column from its known ones; the interval between them is halved, each
    time keeping the half in which the score changes more, until two neighbouring floats are left: 32 calls
    for all columns together.
    """
    random = np.random.default_rng(seed)
    wide = [column for column, one in enumerate(schema.feature) if one.type in {"integer", "number"}]
    known = {column: data[~np.isnan(data[:, column]), column] for column in wide}
    columns = np.repeat([column for column in wide if len(known[column])], _ROWS_A_COLUMN)
    if not len(columns):
        return {}
    rows = data[random.integers(0, len(data), len(columns))]
    ends = np.array([random.choice(known[column], 2) for column in columns.tolist()])
    low, high = np.sort(_to_order(ends.astype(np.float32)), axis=1).T

    def ask(places: NDArray[np.int64]) -> NDArray[np.float64]:
        asked = rows.copy()
        asked[np.arange(len(rows)), columns] = _to_float(places)
        return score(asked)

    below, above = ask(low), ask(high)
    differs = below != above
    while (high - low > 1).any():
        middle = (low + high) // 2
        found = ask(middle)
        goes_down = np.abs(found - below) > np.abs(above - found)
        high, above = np.where(goes_down, middle, high), np.where(goes_down, found, above)
        low, below = np.where(goes_down, low, middle), np.where(goes_down, below, found)
    values = _to_float(high)
    return {
        column: np.unique(values[(columns == column) & differs]) for column in np.unique(columns).tolist()
    }


def _to_order(values: Matrix) -> NDArray[np.int64]:
    """The place of each float32 among all, as numbers that are one apart for neighbours."""
    bits = values.view(np.int32).astype(np.int64)
    return np.where(bits < 0, -(bits & 0x7FFFFFFF), bits)


def _to_float(places: NDArray[np.int64]) -> Matrix:
    bits = np.where(places < 0, -places | 0x80000000, places)
    return bits.astype(np.uint32).view(np.float32)
