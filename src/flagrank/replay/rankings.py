"""Rankings of the review queue: functions from the statistics of cases to their priorities."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flagrank.replay.cases import CaseStatistics
from flagrank.simulation.history import History
from flagrank.triage.policy import DEFAULT_POLICY

Ranking = Callable[[CaseStatistics], NDArray[np.float64]]
"""The priority of each case, highest first; static in time, so computed when a report changes the case."""

# The parameters of the estimate of exposure, DESIGN.md's defaults until the policy carries them.
_PRIOR_REPORTS = 0.3
_PRIOR_HOURS = 6.0
_VIEWS_A_REPORT = 30.0
_LIFE_HOURS = {True: 120.0, False: 24.0}


@dataclass(frozen=True, slots=True)
class Pool:
    """Coefficients of the log-odds of p_case, each named like the statistic it weighs; voices weighs ln n."""

    constant: float
    highest: float
    evidence: float
    voices: float
    record: float

    def log_odds(self, cases: CaseStatistics) -> NDArray[np.float64]:
        """The log-odds that each case deserves action."""
        pooled: NDArray[np.float64] = (
            self.constant
            + self.highest * cases.highest
            + self.evidence * cases.evidence
            + self.voices * np.log(cases.voices)
            + self.record * cases.record
        )
        return pooled


def first_in_first_out(cases: CaseStatistics) -> NDArray[np.float64]:
    """The oldest first."""
    return -cases.opened_at


def report_count(cases: CaseStatistics) -> NDArray[np.float64]:
    """The most reported first."""
    return cases.reports


def highest_score(cases: CaseStatistics) -> NDArray[np.float64]:
    """By the highest score of a report."""
    return _squash(cases.highest)


def weighted_sum(cases: CaseStatistics) -> NDArray[np.float64]:
    """What is set up by hand where no model of harm is: score, count, severity, reach, 0 to 1 each."""
    reach = np.log1p(estimate_exposure(cases)) / np.log(1e4)
    worst = max(DEFAULT_POLICY.severities.values())
    counted = np.minimum(cases.reports, 10) / 10
    added: NDArray[np.float64] = (
        _squash(cases.highest) + counted + cases.severity / worst + np.minimum(reach, 1)
    )
    return added


def noisy_or_severity(cases: CaseStatistics) -> NDArray[np.float64]:
    """1 - prod(1 - p), as if reports were independent, times severity."""
    return -np.expm1(cases.innocence) * cases.severity


def noisy_or_harm(cases: CaseStatistics) -> NDArray[np.float64]:
    """The same times reach."""
    return noisy_or_severity(cases) * (1 + estimate_exposure(cases))


def expected_harm(pool: Pool, power: float = DEFAULT_POLICY.exposure_power) -> Ranking:
    """p_case x severity x (1 + exposure) ^ power, the product's own rule."""

    def rank(cases: CaseStatistics) -> NDArray[np.float64]:
        reach = (1 + estimate_exposure(cases)) ** power
        priority: NDArray[np.float64] = _squash(pool.log_odds(cases)) * cases.severity * reach
        return priority

    return rank


def oracle(history: History) -> Ranking:
    """Knows the truth: by the harm that is still ahead when the last report came."""

    def rank(cases: CaseStatistics) -> NDArray[np.float64]:
        return history.targets.harm_ahead(cases.target, cases.last_at)

    return rank


def at_random(seed: int) -> Ranking:
    """In no order at all: decisions that tell about every case alike."""
    generator = np.random.default_rng(seed)

    def rank(cases: CaseStatistics) -> NDArray[np.float64]:
        return generator.random(len(cases.target))

    return rank


def estimate_exposure(cases: CaseStatistics) -> NDArray[np.float64]:
    """The exposure last sent; where none was, the rate of reports x remaining life x views a report."""
    rate = (_PRIOR_REPORTS + cases.voices - 1) / (_PRIOR_HOURS + cases.last_at - cases.opened_at)
    life = np.where(cases.is_profile, _LIFE_HOURS[True], _LIFE_HOURS[False])
    return np.where(np.isnan(cases.exposure), rate * life * _VIEWS_A_REPORT, cases.exposure)


def _squash(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    squashed: NDArray[np.float64] = 1 / (1 + np.exp(-log_odds))
    return squashed
