"""How a network sees a row: pieces of each number between fixed edges, what is null, and coded categories."""

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray
from sklearn.tree import DecisionTreeClassifier

from flagrank.scoring.columns import Matrix

MOST_BINS = 16
_PIECES_IN_ALL = 4_096  # bounds what many features cost

NULL_CODE = -2.0
"""What stands for null in a category's column, below unknown and the known values."""


class NetworkInputs(msgspec.Struct, frozen=True):
    """Constants of the network's first layer; f columns, p pieces.

    A number is told as the share of each stretch between two edges that lies below it (piecewise linear
    encoding; Gorishniy et al., On Embeddings for Numerical Features in Tabular Deep Learning, 2022): so
    skewed and unbounded numbers need no logarithm, and nothing grows beyond what was seen in training.
    """

    columns: NDArray[np.int64]
    """The column of each piece, (p,)."""

    starts: Matrix
    """The lower edge of each piece, (p,)."""

    rates: Matrix
    """1 / (width of the piece), (p,)."""

    fills: Matrix
    """What stands for null in each column, (f,): the lowest edge, so that all its pieces are 0."""

    categories: tuple[tuple[int, int], ...]
    """Column and number of values of each category."""

    edges: dict[int, Matrix]
    """The edges by column of numbers."""


def fit_inputs(
    features: Matrix, labels: NDArray[np.int8], value_counts: Sequence[int | None]
) -> NetworkInputs:
    """Choose the edges for features (n, f); `value_counts` are a category's, None for a number."""
    fills = np.zeros(features.shape[1], np.float32)
    edges: dict[int, Matrix] = {}
    numbers = max(1, sum(count is None for count in value_counts))
    bins = int(np.clip(_PIECES_IN_ALL // (2 * numbers), 2, MOST_BINS))
    for column, count in enumerate(value_counts):
        if count is not None:
            fills[column] = NULL_CODE
            continue
        known = ~np.isnan(features[:, column])
        found = _choose_edges(features[known, column], labels[known], bins)
        if len(found):
            fills[column] = found[0]
        if len(found) > 1:
            edges[column] = found
    starts = [found[:-1] for found in edges.values()]
    widths = [np.diff(found) for found in edges.values()]
    rates = 1 / np.concatenate([np.empty(0, np.float32), *widths])
    return NetworkInputs(
        columns=np.repeat(np.array(list(edges), np.int64), [len(width) for width in widths]),
        starts=np.concatenate([np.empty(0, np.float32), *starts]),
        rates=rates.astype(np.float32),
        fills=fills,
        categories=tuple((column, count) for column, count in enumerate(value_counts) if count is not None),
        edges=edges,
    )


def _choose_edges(values: Matrix, labels: NDArray[np.int8], bins: int) -> Matrix:
    """Quantiles, and the places where a small tree would split; ascending, no two alike."""
    if not len(values):
        return np.empty(0, np.float32)
    quantiles = np.quantile(values, np.linspace(0, 1, bins + 1), method="nearest")
    tree = DecisionTreeClassifier(
        max_leaf_nodes=bins, min_samples_leaf=max(20, len(values) // 400), random_state=0
    )
    grown = tree.fit(values[:, np.newaxis], labels).tree_
    splits = grown.threshold[grown.children_left != -1]
    edges: Matrix = np.unique(np.concatenate([quantiles, splits]).astype(np.float32))
    with np.errstate(over="ignore", divide="ignore"):
        apart = np.isfinite(1 / np.diff(edges))  # the narrowest have no rate in float32
    kept: Matrix = edges[np.append(True, apart)]
    return kept
