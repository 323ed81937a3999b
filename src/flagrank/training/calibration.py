"""The map from a tree margin to a probability: strictly increasing, and made of few exact steps."""

import msgspec
import numpy as np
from numpy.typing import NDArray

MARGIN_LIMIT = 32.0
"""Margins beyond it count as it: no fit comes near."""

FLOOR = 2.0**-18
"""The share of the score that is a straight line in the margin, so that no score claims one in ten million.

In float64 the logistic curve ties float32 margins above 23; with the line beneath it they stay apart.
"""

LEAST_SLOPE, MOST_SLOPE = 1e-3, 20.0
"""The slopes a fit may come to: margins of no worth still differ, and no score is certain."""


class Calibration(msgspec.Struct, frozen=True):
    """score = (1 - FLOOR) / (1 + e^-(slope x margin + intercept)) + FLOOR x (1/2 + margin/64); slope > 0."""

    slope: float
    intercept: float


AS_IT_IS = Calibration(1.0, 0.0)
"""Leaves a probability as it is, within 3e-6: what the straight line and the limit add."""


def apply_calibration(calibration: Calibration, margins: NDArray[np.floating]) -> NDArray[np.float64]:
    """Turn margins (n,) into scores (n,) in (0, 1).

    Two margins in [-32, 32] that are 2^-28 or more apart, as all different float32 ones beyond 2^-5 are, get
    different scores, the larger margin the larger one.
    """
    margin = np.clip(margins.astype(np.float64), -MARGIN_LIMIT, MARGIN_LIMIT)
    with np.errstate(over="ignore"):  # infinite odds are a score that the line alone makes
        odds_against = np.exp(-(margin * calibration.slope + calibration.intercept))
    line = margin * (FLOOR / (2 * MARGIN_LIMIT)) + FLOOR / 2
    scores: NDArray[np.float64] = (1 - FLOOR) / (1 + odds_against) + line
    return scores


def fit_calibration(margins: NDArray[np.floating], labels: NDArray[np.int8]) -> Calibration:
    """Fit slope and intercept to margins (n,) and 0/1 labels (n,) by maximum likelihood.

    The targets are those of Platt (Probabilistic outputs for support vector machines, 1999): (n+ + 1) / (n+
    + 2) and 1 / (n- + 2), so few or separable labels give no certainty. Margins that tell nothing, or the
    opposite, get the least slope: their scores are nearly equal, and still tie nothing.
    """
    margin = margins.astype(np.float64)
    positives = int(labels.sum())
    targets = np.where(labels == 1, (positives + 1) / (positives + 2), 1 / (len(labels) - positives + 2))
    centre, spread = float(margin.mean()), float(margin.std()) or 1.0
    scaled = (margin - centre) / spread
    level, steepness = _maximise_likelihood(np.column_stack([np.ones_like(scaled), scaled]), 0.0, targets)
    slope = min(max(steepness / spread, LEAST_SLOPE), MOST_SLOPE)
    if slope != steepness / spread:
        (level,) = _maximise_likelihood(np.ones((len(scaled), 1)), slope * spread * scaled, targets)
    # The last bits of a fit differ between processors; a rounded one is the same everywhere.
    return Calibration(round(slope, 6), round(level - slope * centre, 6))


def _maximise_likelihood(
    design: NDArray[np.float64], offset: NDArray[np.float64] | float, targets: NDArray[np.float64]
) -> list[float]:
    """Climb the likelihood of design (n, p) @ result + offset by Newton's steps, halved as needed."""

    def loss(coefficients: NDArray[np.float64]) -> float:
        log_odds = design @ coefficients + offset
        return float(np.sum(np.logaddexp(0, log_odds) - targets * log_odds))

    here = np.zeros(design.shape[1])
    height = loss(here)
    for _ in range(100):
        chance = 1 / (1 + np.exp(-(design @ here + offset)))
        curvature = (design * (chance * (1 - chance))[:, None]).T @ design
        step = np.linalg.lstsq(curvature, design.T @ (targets - chance))[0]
        while loss(here + step) > height and np.abs(step).max() > 1e-12:
            step = step / 2
        here = here + step
        height = loss(here)
        if np.abs(step).max() < 1e-10:
            break
    return [float(value) for value in here]
