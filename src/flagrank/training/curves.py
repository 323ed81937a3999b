"""The numbers behind a report's plots: the ranking at every depth, with 95 % intervals."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from flagrank.scoring.resampling import count_rows
from flagrank.training.resampling import draw_weights, rank_rows
from flagrank.triage.curves import Span

DEPTHS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""The shares of all rows, ranked highest, for which a report says what a review of them finds."""

_SHARES = np.unique(np.concatenate([np.geomspace(0.001, 1, 100), np.linspace(0, 1, 101)[1:], DEPTHS]))
_RECALLS = np.linspace(0.01, 1, 100)


class Band(msgspec.Struct, frozen=True):
    """A curve and its 95 % interval at each of its points, (p,)."""

    value: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


class Ranking(msgspec.Struct, frozen=True):
    """What the rows from the highest score down hold."""

    base_rate: float
    shares: NDArray[np.float64]
    """The shares of all rows, (s,), at which `found` and `precise` are known: recall and precision."""

    found: Band
    precise: Band
    recalls: NDArray[np.float64]
    """The recalls, (r,), for which `precision` is that at the highest score that reaches them."""

    precision: Band


class Depth(msgspec.Struct, frozen=True):
    """What a review of the `rows` ranked highest finds; `threshold` is the lowest score among them."""

    share: float
    rows: int
    precision: Span
    recall: Span
    lift: float
    threshold: float


def trace_ranking(
    labels: NDArray[np.int8], scores: NDArray[np.float64], entities: NDArray[np.intp], seed: int
) -> Ranking | None:
    """Cut the ranking of rows, (n,) each, at every depth; None where there are no positives to be found.

    Where a number of rows is asked for, ties are broken at random by `seed`. That and the intervals, of a
    bootstrap that draws whole entities, are those of the metrics. Takes a few times as long as they do.
    """
    if not labels.any():
        return None
    order = rank_rows(scores, seed)
    ranked = labels[order].astype(np.float64)
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    drawn = [_cut(ranked, weights, ends) for weights in draw_weights(entities[order], seed)]
    bands = [
        _make_band(value, np.array(samples))
        for value, *samples in zip(_cut(ranked, np.ones(len(labels)), ends), *drawn, strict=True)
    ]
    found, precise, precision = bands
    return Ranking(float(labels.mean()), _SHARES, found, precise, _RECALLS, precision)


def cut_ranking(ranking: Ranking, scores: NDArray[np.float64]) -> tuple[Depth, ...]:
    """What a review of the share of rows ranked highest finds, for each of DEPTHS; scores as ranked."""
    lowest = np.sort(scores)[::-1]
    depths = []
    for share in DEPTHS:
        rows = int(count_rows(np.array([share]), len(scores))[0])
        place = int(np.searchsorted(ranking.shares, share))
        recall, precision = (
            Span(float(band.value[place]), float(band.low[place]), float(band.high[place]))
            for band in (ranking.found, ranking.precise)
        )
        lift = precision.value / ranking.base_rate
        depths.append(Depth(share, rows, precision, recall, lift, float(lowest[rows - 1])))
    return tuple(depths)


def _cut(
    ranked: NDArray[np.float64], weights: NDArray[np.float64], ends: NDArray[np.intp]
) -> tuple[NDArray[np.float64], ...]:
    """Recall and precision at each of _SHARES of the weighted rows, and precision at each of _RECALLS."""
    rows, hits = np.cumsum(weights), np.cumsum(weights * ranked)
    wanted = count_rows(_SHARES, float(rows[-1]))
    last = np.searchsorted(rows, wanted)
    caught = hits[last] - ranked[last] * (rows[last] - wanted)
    positives = max(float(hits[-1]), 1.0)
    reached = ends[np.searchsorted(hits[ends], np.round(_RECALLS * positives, 6)).clip(max=len(ends) - 1)]
    return caught / positives, caught / wanted, hits[reached] / rows[reached]


def _make_band(value: NDArray[np.float64], drawn: NDArray[np.float64]) -> Band:
    low, middle, high = np.quantile(drawn, [0.025, 0.5, 0.975], axis=0)
    return Band(value, np.clip(value + low - middle, 0, 1), np.clip(value + high - middle, 0, 1))
