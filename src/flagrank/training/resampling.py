"""Ranking with ties broken at random, and the bootstrap: one value has one interval wherever it stands."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from flagrank.scoring import resampling

_MOST_RESAMPLES, _FEWEST_RESAMPLES = 1000, 200
_RESAMPLED_ROWS = (
    20_000_000  # in all: seconds, whatever the number of rows; the fewest on 10^6 take half a minute
)


def rank_rows(scores: NDArray[np.float64], seed: int) -> NDArray[np.intp]:
    """Row numbers (n,) from the highest score to the lowest; ties at random by `seed`."""
    return np.lexsort((np.random.default_rng(seed).random(len(scores)), -scores))


def draw_weights(entities: NDArray[np.intp], seed: int) -> Iterator[NDArray[np.float64]]:
    """As `scoring.resampling` does, 200 to 1,000 times, by n."""
    resamples = max(_FEWEST_RESAMPLES, min(_MOST_RESAMPLES, _RESAMPLED_ROWS // len(entities)))
    return resampling.draw_weights(entities, np.random.default_rng((seed, 1)), resamples)
