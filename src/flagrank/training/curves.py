"""The numbers behind a report's plots: scores in bins, and the ranking cut at every depth, with 95 % intervals."""

import msgspec
import numpy as np
from numpy.typing import NDArray

BINS = 10
DEPTHS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""The shares of all rows, ranked highest, for which a report says what a review of them finds."""

_SHARES = np.unique(np.concatenate([np.geomspace(0.001, 1, 100), np.linspace(0, 1, 101)[1:], DEPTHS]))
_RECALLS = np.linspace(0.01, 1, 100)
_MOST_RESAMPLES, _FEWEST_RESAMPLES = 400, 100
_RESAMPLED_ROWS = 10_000_000  # in all: seconds, whatever the number of rows
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
    """What the rows from the highest score down hold: recall at shares of all rows, precision at recalls."""

    base_rate: float
    shares: NDArray[np.float64]
    found: Band
    recalls: NDArray[np.float64]
    precision: Band


class Depth(msgspec.Struct, frozen=True):
    """What a review of the `rows` ranked highest finds; `threshold` is the lowest score among them."""

    share: float
    rows: int
    positives: int
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
    """Bin rows by score, (n,) each, into tenths of the rows; equal scores share a bin, so there may be fewer."""
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
    # Rows of one entity tell less than as many separate ones: the interval is that of fewer rows (Kish's design effect).
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

    Ties are broken at random by `seed` where a number of rows is asked for, as in the metrics. The intervals are
    those of a bootstrap that draws whole entities, moved so that its median is the value.
    """
    if not labels.any():
        return None
    order = _rank(scores, seed)
    ranked = labels[order].astype(np.float64)
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    _, numbers = np.unique(entities, return_inverse=True)
    members, count = numbers[order], int(numbers.max()) + 1
    random = np.random.default_rng((seed, 1))
    found, precision = [], []
    for _ in range(max(_FEWEST_RESAMPLES, min(_MOST_RESAMPLES, _RESAMPLED_ROWS // len(labels)))):
        weights = np.bincount(random.integers(count, size=count), minlength=count)[members]
        if (weights * ranked).any():
            found.append(_find_by_share(ranked, weights))
            precision.append(_find_precision(ranked, weights, ends))
    once = np.ones(len(labels), np.intp)
    return Ranking(
        float(labels.mean()),
        _SHARES,
        _make_band(_find_by_share(ranked, once), np.array(found)),
        _RECALLS,
        _make_band(_find_precision(ranked, once, ends), np.array(precision)),
    )


def cut_ranking(
    ranking: Ranking, labels: NDArray[np.int8], scores: NDArray[np.float64], seed: int
) -> tuple[Depth, ...]:
    """What a review of the share of rows ranked highest finds, for each of DEPTHS."""
    ranked = labels[_rank(scores, seed)]
    lowest = np.sort(scores)[::-1]
    depths = []
    for share in DEPTHS:
        rows = int(_count_rows(np.array([share]), len(labels))[0])
        positives = int(ranked[:rows].sum())
        place = int(np.searchsorted(ranking.shares, share))
        recall = Span(*(float(curve[place]) for curve in msgspec.structs.astuple(ranking.found)))
        to_precision = float(labels.sum()) / rows
        precision = Span(positives / rows, recall.low * to_precision, min(recall.high * to_precision, 1.0))
        lift = precision.value / ranking.base_rate
        depths.append(Depth(share, rows, positives, precision, recall, lift, float(lowest[rows - 1])))
    return tuple(depths)


def _rank(scores: NDArray[np.float64], seed: int) -> NDArray[np.intp]:
    return np.lexsort((np.random.default_rng(seed).random(len(scores)), -scores))


def _count_rows(shares: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """ceil(share x n); 0.05 x 300 is a little more than 15 in binary, and 15 is meant."""
    return np.ceil(np.round(shares * n, 6))


def _find_by_share(ranked: NDArray[np.float64], weights: NDArray[np.intp]) -> NDArray[np.float64]:
    """The share of positives among the first rows, for each of _SHARES of the weighted rows."""
    rows, hits = np.cumsum(weights), np.cumsum(weights * ranked)
    wanted = _count_rows(_SHARES, int(rows[-1]))
    last = np.searchsorted(rows, wanted)
    found: NDArray[np.float64] = (hits[last] - ranked[last] * (rows[last] - wanted)) / hits[-1]
    return found


def _find_precision(
    ranked: NDArray[np.float64], weights: NDArray[np.intp], ends: NDArray[np.intp]
) -> NDArray[np.float64]:
    """The precision at the highest score that reaches each of _RECALLS."""
    rows, hits = np.cumsum(weights)[ends], np.cumsum(weights * ranked)[ends]
    reached = np.searchsorted(hits, np.round(_RECALLS * hits[-1], 6))
    precision: NDArray[np.float64] = hits[reached] / rows[reached]
    return precision


def _make_band(value: NDArray[np.float64], drawn: NDArray[np.float64]) -> Band:
    low, middle, high = np.quantile(drawn, [0.025, 0.5, 0.975], axis=0)
    return Band(value, np.clip(value + low - middle, 0, 1), np.clip(value + high - middle, 0, 1))
