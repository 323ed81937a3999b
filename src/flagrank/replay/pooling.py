"""Fits the coefficients by which the reports of a case become one chance."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flagrank.replay.cases import CaseStatistics
from flagrank.replay.engine import Decisions, Terms, play
from flagrank.replay.rankings import at_random, list_terms, pool_scores
from flagrank.replay.scored_history import ScoredHistory
from flagrank.triage.policy import Policy, PoolCoefficients

_STEPS = 50
_RIDGE = 1.0  # next to thousands of decisions nothing; it keeps a fit on few from running away
_LEAST = np.array([-np.inf, 0, 0, -np.inf, 0])
_MOST = np.array([np.inf, np.inf, np.inf, 1, np.inf])
_DECIDED_SHARE = 0.6
_HELD_OUT_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class PoolFit:
    """Coefficients fitted, and mean log loss on decisions held out, of them and of those before."""

    pool: PoolCoefficients
    decided: int
    held_out: int
    log_loss: float
    log_loss_before: float


def draw_decisions(scored: ScoredHistory, policy: Policy) -> Decisions:
    """Let moderators decide three in five cases, drawn at random: decisions that tell about all alike."""
    per_hour = _DECIDED_SHARE * len(scored.history.targets) / scored.history.hours
    return play(scored, at_random(0), Terms(policy, per_hour)).decisions


def judge_fit(parts: Sequence[Decisions], before: PoolCoefficients) -> PoolFit:
    """Fit a pool to three quarters of some decisions and judge it on the rest, then fit it to all."""
    generator = np.random.default_rng(0)
    cases = CaseStatistics.join([part.cases for part in parts])
    label = np.concatenate([part.is_actioned for part in parts])
    # A target may be decided again: all its decisions are on one side.
    is_held_out = (generator.random(int(cases.target.max(initial=0)) + 1) < _HELD_OUT_SHARE)[cases.target]
    known, unseen = np.flatnonzero(~is_held_out), np.flatnonzero(is_held_out)
    fitted = fit_pool(cases.take(known), label[known])
    held_out = cases.take(unseen)
    return PoolFit(
        pool=fit_pool(cases, label),
        decided=len(label),
        held_out=len(unseen),
        log_loss=measure_log_loss(pool_scores(held_out, fitted), label[unseen]),
        log_loss_before=measure_log_loss(pool_scores(held_out, before), label[unseen]),
    )


def measure_log_loss(chance: NDArray[np.float64], label: NDArray[np.bool_]) -> float:
    """Mean of -ln of the chance given to what happened; NaN of nothing."""
    return float(-np.log(np.where(label, chance, 1 - chance)).mean()) if len(label) else float("nan")


def fit_pool(cases: CaseStatistics, is_actioned: NDArray[np.bool_]) -> PoolCoefficients:
    """Fit a pool to decisions by logistic regression, each weight within bounds.

    Scores and records get none below 0, so that a higher score never makes a case less urgent; the number of
    reporters none over 1, which would be more than odds that grow as their number: a crowd would decide by
    being one. Where cases were chosen by what the pool reads, it fits what the choice left: draw them.
    """
    terms = list_terms(cases)  # (n, 5)
    label = is_actioned.astype(np.float64)
    fixed: dict[int, float] = {}
    while True:
        free = np.array([place for place in range(5) if place not in fixed])
        weights = np.zeros(5)
        weights[list(fixed)] = list(fixed.values())
        weights[free] = _regress(terms[:, free], label, terms @ weights)
        beyond = np.abs(weights - np.clip(weights, _LEAST, _MOST))
        if not beyond.any():
            return PoolCoefficients(*weights.tolist())
        worst = int(np.argmax(beyond))
        fixed[worst] = float(np.clip(weights, _LEAST, _MOST)[worst])


def _regress(
    columns: NDArray[np.float64], label: NDArray[np.float64], offset: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Newton's method (McCullagh and Nelder, Generalized Linear Models, 1989, 4.4), with a small ridge."""
    weights = np.zeros(columns.shape[1])
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(-columns @ weights - offset))
        slope = columns.T @ (label - chance) - _RIDGE * weights
        curvature = (columns * (chance * (1 - chance))[:, None]).T @ columns + _RIDGE * np.eye(len(weights))
        step = np.linalg.solve(curvature, slope)
        weights = weights + step
        if np.abs(step).max() < 1e-8:
            break
    return weights
