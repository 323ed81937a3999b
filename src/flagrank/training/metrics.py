"""How good scores are on labelled rows: the measures of API.md, each with a 95 % interval."""

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType
from numpy.typing import NDArray

from flagrank.training.resampling import draw_weights, rank_rows

BINS = 10
"""The equal-width bins of the calibration error."""

_SMALLEST_CHANCE = float(np.finfo(np.float64).eps)


class Measure(msgspec.Struct, frozen=True):
    """A value with its 95 % interval, or three nulls and `why` it is undefined."""

    value: float | None
    low: float | None
    high: float | None
    why: str | UnsetType = UNSET


class Metrics(msgspec.Struct, frozen=True):
    """What `train` and `evaluate` print: the names, in the order, of API.md."""

    rows: Measure
    positives: Measure
    roc_auc: Measure
    average_precision: Measure
    log_loss: Measure
    calibration_error: Measure
    lift_at_5_percent: Measure
    precision_at_5_percent: Measure
    recall_at_20_percent: Measure
    filter_rate_at_recall_75: Measure


_NEED_POSITIVES = {
    "roc_auc",
    "average_precision",
    "lift_at_5_percent",
    "recall_at_20_percent",
    "filter_rate_at_recall_75",
}


def measure(
    labels: NDArray[np.int8],
    scores: NDArray[np.float64],
    *,
    seed: int,
    entities: NDArray[np.intp] | None = None,
) -> Metrics:
    """Measure scores (n,) in [0, 1] against 0/1 labels (n,), n >= 1.

    Where a rank counts, ties are broken at random by `seed`. The intervals are those of a bootstrap of
    whole `entities` ((n,) numbers; none given: rows), moved so that its median is the value, because
    resampling alone raises a calibration error. Takes O(n log n), and O(n) for each resample: seconds up to
    10^5 rows.
    """
    ranked = _Ranked(labels, scores, seed)
    values = ranked.measure(np.ones(len(labels)))
    members = ranked.order if entities is None else entities[ranked.order]
    drawn = [ranked.measure(weights) for weights in draw_weights(members, seed)]
    return Metrics(
        rows=Measure(len(labels), len(labels), len(labels)),
        **{
            name: _with_interval(name, value, np.array([one[name] for one in drawn]), labels)
            for name, value in values.items()
        },
    )


class _Ranked:
    """Rows from the highest score to the lowest, to be measured under one weighting after another."""

    def __init__(self, labels: NDArray[np.int8], scores: NDArray[np.float64], seed: int) -> None:
        self.order = rank_rows(scores, seed)
        chance = scores[self.order]
        self._labels = labels[self.order].astype(np.float64)
        clipped = np.clip(chance, _SMALLEST_CHANCE, 1 - _SMALLEST_CHANCE)
        self._losses = -np.log(np.where(self._labels == 1, clipped, 1 - clipped))
        self._gaps = self._labels - chance
        bins = np.minimum((chance * BINS).astype(np.intp), BINS - 1)
        self._bin_starts = np.flatnonzero(np.diff(bins, prepend=-1))
        last_of_its_score = np.append(np.diff(chance) != 0, True)
        self._ends = slice(None) if last_of_its_score.all() else np.flatnonzero(last_of_its_score)

    def measure(self, weights: NDArray[np.float64]) -> dict[str, float]:
        """Measure the rows, each counted as often as its whole weight (n,) says; NaN where undefined."""
        rows = np.cumsum(weights)
        hits = np.cumsum(weights * self._labels)
        n, positives = float(rows[-1]), float(hits[-1])
        precision = self._hits_in_top(rows, hits, 5) / -(-n * 5 // 100)
        caught, reached = hits[self._ends], rows[self._ends]
        newly_caught = np.diff(caught, prepend=0.0)
        passed = np.diff(reached, prepend=0.0) - newly_caught
        threshold = int(np.searchsorted(caught, 0.75 * positives))
        with np.errstate(invalid="ignore", divide="ignore"):
            return {
                "positives": positives,
                "roc_auc": np.sum(passed * (caught - newly_caught / 2))
                / np.float64(positives * (n - positives)),
                "average_precision": np.sum(newly_caught * caught / np.maximum(reached, 1))
                / np.float64(positives),
                "log_loss": float(np.sum(weights * self._losses)) / n,
                "calibration_error": float(
                    np.abs(np.add.reduceat(weights * self._gaps, self._bin_starts)).sum()
                )
                / n,
                "lift_at_5_percent": precision / np.float64(positives / n),
                "precision_at_5_percent": precision,
                "recall_at_20_percent": self._hits_in_top(rows, hits, 20) / np.float64(positives),
                "filter_rate_at_recall_75": 1 - float(reached[threshold]) / n if positives else np.nan,
            }

    def _hits_in_top(self, rows: NDArray[np.float64], hits: NDArray[np.float64], percent: int) -> float:
        """Count the positives among the first ceil(percent x n / 100) rows, in whole numbers."""
        k = -(-rows[-1] * percent // 100)
        last = int(np.searchsorted(rows, k))
        return float(hits[last] - self._labels[last] * (rows[last] - k))


def _with_interval(name: str, value: float, drawn: NDArray[np.float64], labels: NDArray[np.int8]) -> Measure:
    if np.isnan(value):
        missing = "positives" if not labels.any() else "negatives"
        return Measure(None, None, None, why=f"There are no {missing} among the {len(labels)} rows.")
    low, middle, high = np.nanquantile(drawn, [0.025, 0.5, 0.975])
    most = {"positives": len(labels), "lift_at_5_percent": np.inf, "log_loss": np.inf}.get(name, 1.0)
    # Rounded, since the last bits of a sum differ between processors.
    return Measure(
        round(float(value), 10),
        round(float(max(value + low - middle, 0.0)), 10),
        round(float(min(value + high - middle, most)), 10),
    )
