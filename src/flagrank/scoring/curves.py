"""Held-out scores in bins and by depth: the numbers behind plots of reliability and lift."""

import numpy as np
from numpy.typing import NDArray

from flagrank.scoring.package import HeldOut
from flagrank.scoring.resampling import count_rows
from flagrank.triage.curves import Bin, Curves, Span

BINS = 10

_NORMAL_QUANTILE = 1.959964  # of 97.5 %
_SHARES = np.unique(np.concatenate([np.geomspace(0.005, 1, 60), (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)]))


def trace_curves(held_out: HeldOut) -> Curves:
    """The curves of a package's rows; equal rows, which are one digest, count as one entity.

    Takes a tenth of a second for 20,000 rows.
    """
    labels, scores = np.array(held_out.labels, np.int8), np.array(held_out.scores, np.float64)
    if not len(labels):
        return Curves(0, 0, (), (), ())
    numbers: dict[str, int] = {}
    entities = np.array([numbers.setdefault(digest, len(numbers)) for digest in held_out.digests])
    lift = _trace_lift(labels, scores) if labels.any() else ()
    return Curves(
        rows=len(labels),
        positives=int(labels.sum()),
        bins=bin_by_count(labels, scores, entities),
        shares=tuple(_SHARES.tolist()) if lift else (),
        lift=lift,
    )


def _trace_lift(labels: NDArray[np.int8], scores: NDArray[np.float64]) -> tuple[float, ...]:
    """Lift at each of `_SHARES`; of rows with equal scores, what any order of them finds on average."""
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    caught = np.cumsum(labels[order], dtype=np.float64)[ends]
    wanted = count_rows(_SHARES, len(labels))
    found = np.interp(wanted, [0, *(ends + 1)], [0, *caught])
    lift: list[float] = (found / wanted / labels.mean()).tolist()
    return tuple(lift)


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
