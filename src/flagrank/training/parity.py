"""The parity gate: no package whose graph scores unlike the native model, on rows made to part them."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from flagrank.scoring.columns import UNKNOWN_CATEGORY, Matrix
from flagrank.scoring.session import ModelSession
from flagrank.triage.errors import TrainingRefused
from flagrank.triage.feature_schema import Feature, FeatureSchema

TOLERANCE = 1e-5
PROBE_ROWS = 100_000
CHANGED_SHARE = (
    0.3  # of the cells of a probe row: enough to reach every branch, few enough to stay near the data
)

_INTEGERS_BEYOND_FLOAT32 = (16_777_216.0, 16_777_217.0, -16_777_217.0)

NativeScorer = Callable[[Matrix], NDArray[np.float64]]


def make_probe_rows(
    schema: FeatureSchema,
    data: Matrix,
    thresholds: Mapping[int, Matrix],
    seed: int,
    *,
    only_allowed: bool = False,
) -> Matrix:
    """Rows that show a difference if there is one: the data's own, with cells replaced at random.

    What stands in for a cell is null, an unknown category, an edge of the range, an integer that float32
    can't hold, or a threshold of the trees and the floats on both sides of it. With `only_allowed` nulls and
    unknown categories come only where the schema lets them in: a model of others may take no other. Returns
    (100,000, f) float32.
    """
    random = np.random.default_rng(seed)
    rows = data[random.integers(0, len(data), PROBE_ROWS)]
    for column, feature in enumerate(schema.feature):
        pool = _pool(feature, thresholds.get(column, np.empty(0, np.float32)))
        if only_allowed:
            pool = _drop_refused(feature, pool)
        changed = np.flatnonzero(random.random(PROBE_ROWS) < CHANGED_SHARE)
        rows[changed, column] = pool[random.integers(0, len(pool), len(changed))]
    return rows


def check_parity(
    native: NativeScorer,
    session: ModelSession,
    rows: Matrix,
    advice: str = "Report this with the data's schema.",
) -> float:
    """The largest difference between native and ONNX scores over `rows` (n, f).

    Raises `TrainingRefused` where it is over 1e-5, or a score is no number; its sentence ends with `advice`.
    """
    expected = native(rows)
    difference = np.abs(session.score(rows) - expected)
    worst = int(np.argmax(np.where(np.isnan(difference), np.inf, difference)))
    if difference[worst] <= TOLERANCE:
        return float(difference[worst])
    wrong = int(np.count_nonzero(~(difference <= TOLERANCE)))
    raise TrainingRefused(
        f"The ONNX graph does not score as the native model does: {wrong:,} of {len(rows):,} rows differ by "
        f"more than {TOLERANCE:g}, the worst by {difference[worst]:.2g} (native {expected[worst]:.6f}) at "
        f"[{', '.join(f'{value:.9g}' for value in rows[worst][:20])}]. "
        f"No package was written. {advice}"
    )


def _pool(feature: Feature, thresholds: Matrix) -> Matrix:
    """Values for one column: nulls make a tenth, so that they meet every other value."""
    match feature.type:
        case "category":
            values = np.arange(UNKNOWN_CATEGORY, len(feature.values), dtype=np.float32)
        case "boolean":
            values = np.array([0, 1], np.float32)
        case _:
            low, high = feature.bounds
            edges = [
                edge for edge in (*feature.bounds, 0.0, 1.0, *_INTEGERS_BEYOND_FLOAT32) if low <= edge <= high
            ]
            values = np.array(edges, dtype=np.float64).astype(np.float32)
    beside = [np.nextafter(thresholds, np.float32(side)) for side in (-np.inf, np.inf)]
    known = np.unique(np.concatenate([values, thresholds, *beside]))
    return np.concatenate([known, np.full(1 + len(known) // 9, np.nan, np.float32)])


def _drop_refused(feature: Feature, pool: Matrix) -> Matrix:
    """Leave what a report may hold, and values between integers, which are near thresholds."""
    allowed = feature.may_be_null | ~np.isnan(pool)
    if feature.type == "category" and not feature.open:
        allowed &= pool != UNKNOWN_CATEGORY
    return pool[allowed]
