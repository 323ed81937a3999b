"""The numbers behind a report's plots: scores in bins and the ranking at every depth, with 95 % intervals."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from flagrank.training.resampling import draw_weights, rank_rows

BINS = 10
DEPTHS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""The shares of all rows, ranked highest, for which a report says what a review of them finds."""

_SHARES = np.unique(np.concatenate([np.geomspace(0.001, 1, 100), np.linspace(0, 1, 101)[1:], DEPTHS]))
_RECALLS = np.linspace(0.01, 1, 100)
_NORMAL_QUANTILE = 1.959964  # of 97.5 %


class Span(msgspec.Struct, frozen=True):
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


class Bin(msgspec.Struct, frozen=True):
    """Rows whose scores lie from `lowest` to `highest`, and how many of them are positive."""

    lowest: float
    highest: float
    rows: int
    positives: int
    mean_score: float
    share: Span


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


def bin_by_width(
    labels: NDArray[np.int8], scores: NDArray[np.float64], entities: NDArray[np.intp]
) -> tuple[Bin, ...]:
    """Bin rows by score, (n,) each, into tenths of 0 to 1; bins without rows are left out."""
    places = np.minimum((scores * BINS).astype(np.intp), BINS - 1)
    return tuple(
        _fill_bin(place / BINS, (place + 1) / BINS, places == place, (labels, scores, entities))
        for place in np.unique(places).tolist()
    )


def bin_by_count(
    labels: NDArray[np.int8], scores: NDArray[np.float64], entities: NDArray[np.intp]
) -> tuple[Bin, ...]:
    """Bin rows by score, (n,) each, into tenths of the rows; equal scores share a bin: there may be fewer."""
    edges = np.unique(np.quantile(scores, np.arange(1, BINS) / BINS, method="inverted_cdf"))
    places = np.searchsorted(edges, scores)
    bins = []
    for place in np.unique(places):
        chosen = places == place
        low, high = float(scores[chosen].min()), float(scores[chosen].max())
        bins.append(_fill_bin(low, high, chosen, (labels, scores, entities)))
    return tuple(bins)


def _fill_bin(
    lowest: float,
    highest: float,
    chosen: NDArray[np.bool_],
    table: tuple[NDArray[np.int8], NDArray[np.float64], NDArray[np.intp]],
) -> Bin:
    labels, scores, entities = (column[chosen] for column in table)
    rows, positives = len(labels), int(labels.sum())
    share = positives / rows
    # Rows of one entity tell less than as many separate ones: count fewer rows (Kish's design effect).
    _, members = np.unique(entities, return_inverse=True)
    gaps = np.bincount(members, labels - share)
    clustering = float(gaps @ gaps) / (rows * share * (1 - share)) if 0 < share < 1 else rows / len(gaps)
    interval = _estimate_share(share, rows / max(clustering, 1.0))
    return Bin(lowest, highest, rows, positives, float(scores.mean()), interval)


def _estimate_share(share: float, rows: float) -> Span:
    """Wilson's score interval of 95 % (JASA 22, 1927): honest for few rows and for none or all positive."""
    z = _NORMAL_QUANTILE
    centre = (share + z * z / (2 * rows)) / (1 + z * z / rows)
    reach = z / (1 + z * z / rows) * np.sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows))
    # The share lies within; where it is 0 or 1, rounding may say otherwise.
    return Span(
        share, float(min(max(centre - reach, 0.0), share)), float(max(min(centre + reach, 1.0), share))
    )


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
        rows = int(_count_rows(np.array([share]), len(scores))[0])
        place = int(np.searchsorted(ranking.shares, share))
        recall, precision = (
            Span(float(band.value[place]), float(band.low[place]), float(band.high[place]))
            for band in (ranking.found, ranking.precise)
        )
        lift = precision.value / ranking.base_rate
        depths.append(Depth(share, rows, precision, recall, lift, float(lowest[rows - 1])))
    return tuple(depths)


def _count_rows(shares: NDArray[np.float64], n: float) -> NDArray[np.float64]:
    """ceil(share x n); 0.05 x 300 is a little more than 15 in binary, and 15 is meant."""
    return np.ceil(np.round(shares * n, 6))


def _cut(
    ranked: NDArray[np.float64], weights: NDArray[np.float64], ends: NDArray[np.intp]
) -> tuple[NDArray[np.float64], ...]:
    """Recall and precision at each of _SHARES of the weighted rows, and precision at each of _RECALLS."""
    rows, hits = np.cumsum(weights), np.cumsum(weights * ranked)
    wanted = _count_rows(_SHARES, float(rows[-1]))
    last = np.searchsorted(rows, wanted)
    caught = hits[last] - ranked[last] * (rows[last] - wanted)
    positives = max(float(hits[-1]), 1.0)
    reached = ends[np.searchsorted(hits[ends], np.round(_RECALLS * positives, 6)).clip(max=len(ends) - 1)]
    return caught / positives, caught / wanted, hits[reached] / rows[reached]


def _make_band(value: NDArray[np.float64], drawn: NDArray[np.float64]) -> Band:
    low, middle, high = np.quantile(drawn, [0.025, 0.5, 0.975], axis=0)
    return Band(value, np.clip(value + low - middle, 0, 1), np.clip(value + high - middle, 0, 1))
