"""Plays one history through every ranking that a team might use, from the clock to perfect knowledge."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flagrank.replay import rankings
from flagrank.replay.engine import Outcome, play
from flagrank.replay.pooling import fit_pool
from flagrank.simulation.history import History

_FITTED_ON = 0.6  # the share of cases that moderators decided, drawn at random, before the comparison


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a comparison: a ranking, what it was told about exposure, and its outcome."""

    ranking: str
    exposure_is_sent: bool
    outcome: Outcome


def fit_on(history: History, log_odds: NDArray[np.float64]) -> rankings.Pool:
    """Fit the pool to decisions on cases drawn at random, on another history than the one to be judged on."""
    ranking = rankings.at_random(0)
    return fit_pool(play(history, log_odds, ranking, _FITTED_ON).decisions)


def compare(
    history: History, log_odds: NDArray[np.float64], pool: rankings.Pool, capacity: float
) -> Iterator[Line]:
    """Play every ranking with the same arrivals, scores, moderators' errors and capacity."""
    ours = rankings.expected_harm(pool)
    for name, ranking, exposure_is_sent in (
        ("first in, first out", rankings.first_in_first_out, True),
        ("report count", rankings.report_count, True),
        ("score", rankings.highest_score, True),
        ("weighted sum", rankings.weighted_sum, True),
        ("1 - prod(1 - p) x severity", rankings.noisy_or_severity, True),
        ("1 - prod(1 - p) x severity x reach", rankings.noisy_or_harm, True),
        ("expected harm", ours, True),
        ("expected harm", ours, False),
        ("knowing the truth", rankings.oracle(history), True),
    ):
        outcome = play(history, log_odds, ranking, capacity, exposure_is_sent=exposure_is_sent)
        yield Line(name, exposure_is_sent, outcome)
