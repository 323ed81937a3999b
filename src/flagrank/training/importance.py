"""How much a model of any kind owes to each feature."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from flagrank.scoring.columns import Matrix

_ROWS = 5_000


def weigh_by_permutation(
    predict_margins: Callable[[Matrix], NDArray[np.floating]], features: Matrix, labels: NDArray[np.int8]
) -> NDArray[np.float64]:
    """The log loss that comes of shuffling each column of features (n, f), (f,), never negative.

    Breiman (Random Forests, 2001), on at most 5,000 rows, shuffled once by a fixed seed.
    """
    random = np.random.default_rng(0)
    chosen = random.permutation(len(features))[:_ROWS]
    rows, told = features[chosen], labels[chosen]

    def loss(matrix: Matrix) -> float:
        margin = predict_margins(matrix).astype(np.float64)
        return float(np.mean(np.logaddexp(0, margin) - told * margin))

    least = loss(rows)
    losses = np.zeros(rows.shape[1])
    for column in range(rows.shape[1]):
        shuffled = rows.copy()
        shuffled[:, column] = random.permutation(shuffled[:, column])
        losses[column] = max(0.0, loss(shuffled) - least)
    return losses
