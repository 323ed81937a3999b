"""The people who report: some look closely, some report what they dislike, some attack together."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_BRIGADE_SIZES = (30, 200)


@dataclass(frozen=True, slots=True)
class Reporters:
    """Columns of equal length, one value a reporter."""

    carelessness: NDArray[np.float64]
    """Standard normal: how readily innocents are reported."""
    activity: NDArray[np.float64]
    """How often anything is reported, relative to others."""
    brigade: NDArray[np.intp]
    """The number of the group that this account attacks with; -1 for all others."""
    matches: NDArray[np.float64]
    rating: NDArray[np.float64]
    popularity: NDArray[np.float64]

    def __len__(self) -> int:
        """How many there are."""
        return len(self.activity)

    def choose(self, generator: np.random.Generator, on_bad: NDArray[np.bool_]) -> NDArray[np.intp]:
        """Draw who sends each report: whoever is active, on innocents whoever is careless most of all."""
        alone = np.where(self.brigade < 0, self.activity, 0.0)
        careless = alone * np.exp(1.3 * self.carelessness)
        uniform = generator.random(len(on_bad))
        of_bad, of_good = (
            np.searchsorted(np.cumsum(weight) / weight.sum(), uniform, side="right")
            for weight in (alone, careless)
        )
        return np.minimum(np.where(on_bad, of_bad, of_good), len(self) - 1)


def draw_reporters(generator: np.random.Generator, alone: int, brigades: int) -> Reporters:
    """Draw `alone` reporters who act by themselves, then the members of `brigades` brigades.

    Their rating follows from how well they report, their matches from how much they do, as the features of
    the default schema know them.
    """
    sizes = generator.integers(*_BRIGADE_SIZES, brigades, endpoint=True)
    brigade = np.concatenate([np.full(alone, -1), np.repeat(np.arange(brigades), sizes)])
    in_brigade = brigade >= 0
    count = len(brigade)
    carelessness, activity, matches, rating, popularity = generator.standard_normal((5, count))
    carelessness = np.where(in_brigade, 1 + carelessness, carelessness)
    # Most members of a brigade are accounts made for it.
    log_matches = np.where(in_brigade, 1.5 + matches, 3.5 + 0.6 * activity + 1.5 * matches)
    return Reporters(
        carelessness=carelessness,
        activity=np.exp(1.2 * activity),
        brigade=brigade,
        matches=np.floor(np.exp(log_matches)),
        rating=np.round(5 / (1 + np.exp(-(0.8 - 0.7 * carelessness + 0.7 * rating))), 2),
        popularity=np.round(5 / (1 + np.exp(0.3 - 0.8 * popularity)), 2),
    )
