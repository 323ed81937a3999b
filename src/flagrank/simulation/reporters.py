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
    """Draw `alone` reporters who act by themselves, then the members of `brigades` brigades."""
    sizes = generator.integers(*_BRIGADE_SIZES, brigades, endpoint=True)
    brigade = np.concatenate([np.full(alone, -1), np.repeat(np.arange(brigades), sizes)])
    carelessness, activity = generator.standard_normal((2, len(brigade)))
    return Reporters(
        carelessness=np.where(brigade >= 0, 1 + carelessness, carelessness),
        activity=np.exp(1.2 * activity),
        brigade=brigade,
    )
