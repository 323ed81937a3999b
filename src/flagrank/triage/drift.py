"""Drift: how far what is scored now has moved from what the model was trained on."""

from collections.abc import Mapping, Sequence
from math import log

import msgspec

FEWEST_REPORTS = 100  # with fewer a window says nothing: chance alone makes an index of .1


class FeatureDrift(msgspec.Struct, frozen=True):
    """One feature in one window.

    `index` is the population stability index of its known values, None where none is known; `missing_share`
    that of reports without a value.
    """

    index: float | None
    missing_share: float


class WindowDrift(msgspec.Struct, frozen=True):
    """What was counted in one window; nothing but `reports` while they are fewer than `FEWEST_REPORTS`."""

    reports: int
    features: Mapping[str, FeatureDrift] = {}
    score_index: float | None = None


class Drift(msgspec.Struct, frozen=True):
    """The windows by name, such as `1h`, and the share of training rows without a value of each feature."""

    windows: Mapping[str, WindowDrift]
    trained_missing: Mapping[str, float]


def population_stability_index(first: Sequence[float], second: Sequence[float], smoothing: float) -> float:
    """How far shares of the same bins lie apart: the sum of (p - q) ln(p / q), symmetric, 0 where equal.

    Jeffreys' divergence (An invariant form for the prior probability in estimation problems, 1946); in
    credit scoring under this name (Siddiqi, Credit Risk Scorecards, 2006): up to .1 is little, over .25 much.
    `smoothing`, over 0, is added to every share, as a bin may be empty: half a report is usual.
    """
    scale = 1 + len(first) * smoothing
    pairs = (((p + smoothing) / scale, (q + smoothing) / scale) for p, q in zip(first, second, strict=True))
    return sum((p - q) * log(p / q) for p, q in pairs)
