"""The five features of the default schema, drawn for synthetic reports."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

_LONGEST_TEXT_CHARS = 1_000_000
_MOST_MATCHES = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Features:
    """Columns of equal length, one value a report, rounded as an application sends them; NaN is null."""

    is_profile: NDArray[np.bool_]
    text_chars: NDArray[np.float64]
    profile_rating: NDArray[np.float64]
    popularity: NDArray[np.float64]
    lifetime_matches: NDArray[np.float64]

    def take(self, members: NDArray[np.intp]) -> "Features":
        """The features at these positions."""
        return Features(*(getattr(self, field.name)[members] for field in fields(self)))

    @staticmethod
    def join(parts: "Sequence[Features]") -> "Features":
        """Several (>= 1) groups, one after the other."""
        return Features(
            *(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Features))
        )


def draw_features(generator: np.random.Generator, rows: int) -> Features:
    """Draw the features of `rows` reports.

    Only `random` and `standard_normal` are drawn from, in a fixed order, so that a seed keeps its meaning.
    """
    uniform = generator.random((5, rows))
    normal = generator.standard_normal((4, rows))

    is_profile = uniform[0] < 0.35
    text_chars = np.exp(np.where(is_profile, 3.3 + 1.1 * normal[0], 4.3 + 1.3 * normal[0]))
    is_pasted = uniform[1] > 0.995
    text_chars = np.where(is_pasted, 200 * text_chars, text_chars)
    is_empty = uniform[1] < np.where(is_profile, 0.30, 0.08)
    text_chars = np.where(is_empty, 0, np.floor(text_chars))

    lifetime_matches = np.floor(np.exp(3.5 + 1.8 * normal[1]))
    profile_rating = np.round(5 * _squash(0.8 + 0.9 * normal[2] + 0.25 * normal[1]), 2)
    popularity = np.round(5 * _squash(-0.3 + 0.8 * normal[3] + 0.5 * normal[1]), 2)

    is_new_account = lifetime_matches < 8
    profile_rating[uniform[2] < np.where(is_new_account, 0.30, 0.05)] = np.nan
    popularity[uniform[3] < 0.06] = np.nan
    lifetime_matches[uniform[4] < np.where(is_profile, 0.25, 0.12)] = np.nan
    return Features(
        is_profile=is_profile,
        text_chars=np.minimum(text_chars, _LONGEST_TEXT_CHARS),
        profile_rating=profile_rating,
        popularity=popularity,
        lifetime_matches=np.minimum(lifetime_matches, _MOST_MATCHES),
    )


def _squash(value: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-value))
