"""Fits the coefficients by which the reports of a case become one chance."""

import numpy as np
from numpy.typing import NDArray

from flagrank.replay.engine import Decisions
from flagrank.replay.rankings import Pool

_STEPS = 50
_RIDGE = 1.0  # next to thousands of decisions nothing; it keeps a fit on few from running away


def fit_pool(decisions: Decisions) -> Pool:
    """Fit a pool to decisions by logistic regression; scores and records get no weight below 0.

    So a higher score never makes a case less urgent. Where cases were chosen by what the pool reads, it fits
    what the choice left: they should have been drawn.
    """
    cases = decisions.cases
    columns = np.column_stack(
        [np.ones(len(cases.target)), cases.highest, cases.evidence, np.log(cases.voices), cases.record]
    )  # (n, 5)
    label = decisions.is_actioned.astype(np.float64)
    used = np.ones(5, dtype=np.bool_)
    bounded = np.array([False, True, True, False, True])
    while True:
        weights = np.zeros(5)
        weights[used] = _regress(columns[:, used], label)
        below = bounded & (weights < 0)
        if not below.any():
            return Pool(*(float(weight) for weight in weights))
        used[np.argmin(np.where(below, weights, np.inf))] = False


def _regress(columns: NDArray[np.float64], label: NDArray[np.float64]) -> NDArray[np.float64]:
    """Newton's method (McCullagh and Nelder, Generalized Linear Models, 1989, 4.4), with a small ridge."""
    weights = np.zeros(columns.shape[1])
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(-columns @ weights))
        slope = columns.T @ (label - chance) - _RIDGE * weights
        curvature = (columns * (chance * (1 - chance))[:, None]).T @ columns + _RIDGE * np.eye(len(weights))
        step = np.linalg.solve(curvature, slope)
        weights = weights + step
        if np.abs(step).max() < 1e-8:
            break
    return weights
