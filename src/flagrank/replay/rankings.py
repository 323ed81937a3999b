"""Rankings of the review queue: functions from the statistics of cases to their priorities."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from flagrank.replay.cases import ABUSE_TYPES, CaseStatistics
from flagrank.simulation.history import History
from flagrank.triage.case import LEAST_CHANCE, MOST_CHANCE
from flagrank.triage.policy import ExposureRules, Policy, PoolCoefficients
from flagrank.triage.report import MAX_EXPOSURE

Ranking = Callable[[CaseStatistics], NDArray[np.float64]]
"""The priority of each case, highest first; static in time, so computed when a report changes the case."""

PoolRule = Callable[[CaseStatistics], NDArray[np.float64]]
"""The chance that each case is actionable."""


def first_in_first_out(cases: CaseStatistics) -> NDArray[np.float64]:
    """The oldest first."""
    return -cases.opened_at


def report_count(cases: CaseStatistics) -> NDArray[np.float64]:
    """The most reported first."""
    return cases.n_reports


def highest_score(cases: CaseStatistics) -> NDArray[np.float64]:
    """By the highest score of a report."""
    return to_chance(cases.max_log_odds)


def noisy_or(cases: CaseStatistics) -> NDArray[np.float64]:
    """1 - prod(1 - p), as if each report alone could be the reason to act."""
    chance: NDArray[np.float64] = np.clip(-np.expm1(cases.innocence), LEAST_CHANCE, MOST_CHANCE)
    return chance


def noisy_or_severity(cases: CaseStatistics) -> NDArray[np.float64]:
    """That times severity."""
    return noisy_or(cases) * cases.severity


def noisy_or_harm(policy: Policy) -> Ranking:
    """That times severity and reach, each view as much as any other."""
    return lambda cases: noisy_or_severity(cases) * (1 + find_exposures(cases, policy.exposure))


def weighted_sum(policy: Policy) -> Ranking:
    """What is set up by hand where no model of harm is: score, count, severity, reach, 0 to 1 each."""
    worst = max(policy.severities.values())

    def rank(cases: CaseStatistics) -> NDArray[np.float64]:
        reach = np.log1p(find_exposures(cases, policy.exposure)) / np.log(1e4)
        counted = np.minimum(cases.n_reports, 10) / 10
        added: NDArray[np.float64] = (
            to_chance(cases.max_log_odds) + counted + cases.severity / worst + np.minimum(reach, 1)
        )
        return added

    return rank


def expected_harm(policy: Policy, pool: PoolRule | None = None) -> Ranking:
    """What `triage.priority.assess_case` finds for each; by `pool` in place of the policy's, where given."""

    def rank(cases: CaseStatistics) -> NDArray[np.float64]:
        reach = (1 + find_exposures(cases, policy.exposure)) ** policy.exposure.power
        chance = pool(cases) if pool else pool_scores(cases, policy.pool)
        priority: NDArray[np.float64] = chance * cases.severity * reach
        return priority

    return rank


def oracle(history: History) -> Ranking:
    """Knows the truth: by the harm that is still ahead when the last report came."""
    return lambda cases: history.targets.harm_ahead(cases.target, cases.last_at)


def at_random(seed: int) -> Ranking:
    """In no order at all: decisions that tell about every case alike."""
    generator = np.random.default_rng(seed)
    return lambda cases: generator.random(len(cases.target))


def naive_bayes(base_log_odds: float) -> PoolRule:
    """The base rate and every voice's weight, as if reporters knew nothing of each other."""
    return lambda cases: to_chance(base_log_odds + cases.sum_weight)


def pool_scores(cases: CaseStatistics, pool: PoolCoefficients) -> NDArray[np.float64]:
    """What `triage.priority.pool_scores` gives for each."""
    return to_chance(list_terms(cases) @ np.array(list_weights(pool)))


def list_terms(cases: CaseStatistics) -> NDArray[np.float64]:
    """What the pool's coefficients weigh, in the order of `list_weights`: (n, 5)."""
    return np.column_stack(
        [
            np.ones(len(cases.target)),
            cases.max_log_odds,
            cases.sum_weight,
            np.log(cases.n_reporters),
            cases.sum_record,
        ]
    )


def list_weights(pool: PoolCoefficients) -> list[float]:
    """The pool's coefficients as a list."""
    return [pool.intercept, pool.max_log_odds, pool.sum_weight, pool.ln_reporters, pool.sum_record]


def find_exposures(cases: CaseStatistics, rules: ExposureRules) -> NDArray[np.float64]:
    """The exposure last sent; where none was, what `triage.priority.estimate_exposure` gives for each."""
    rate = (rules.prior_reports + cases.n_reporters - 1) / (
        rules.prior_hours + cases.last_at - cases.opened_at
    )
    lives = np.array([rules.life_hours.get(kind, rules.other_life_hours) for kind in ABUSE_TYPES])
    life = lives[cases.is_profile.astype(np.intp)]
    estimated = np.minimum(rate * life * rules.views_per_report, MAX_EXPOSURE)
    return np.where(np.isnan(cases.exposure), estimated, cases.exposure)


def to_chance(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 / (1 + e^-x), within (0, 1) however far x lies out."""
    chance: NDArray[np.float64] = np.clip(
        1 / (1 + np.exp(-np.maximum(log_odds, -40))), LEAST_CHANCE, MOST_CHANCE
    )
    return chance
