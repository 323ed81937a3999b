"""The bootstrap's draws, and how many rows a share of them is: for the gate, plots and training alike."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray


def draw_weights(
    entities: NDArray[np.intp], random: np.random.Generator, resamples: int
) -> Iterator[NDArray[np.float64]]:
    """How often each row is drawn, (n,), as whole entities, (n,) numbers, are; so many times."""
    _, members = np.unique(entities, return_inverse=True)
    count = int(members.max()) + 1
    for _ in range(resamples):
        weights = np.bincount(random.integers(count, size=count), minlength=count).astype(np.float64)
        # Entities of one row each are alike before they are drawn: no need to look theirs up.
        yield weights if count == len(entities) else weights[members]


def count_rows(shares: NDArray[np.float64], n: float) -> NDArray[np.float64]:
    """ceil(share x n); 0.05 x 300 is a little more than 15 in binary, and 15 is meant."""
    return np.ceil(np.round(shares * n, 6))
