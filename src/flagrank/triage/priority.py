"""Priority: the harm that waiting is expected to cause."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from math import exp, log

import msgspec
from msgspec import UNSET

from flagrank.triage.case import GRID, LEAST_CHANCE, MOST_CHANCE, Evidence, Ground, to_log_odds
from flagrank.triage.feature_schema import FeatureSchema
from flagrank.triage.policy import ExposureRules, Policy, PoolCoefficients
from flagrank.triage.report import MAX_EXPOSURE, Report, abuse_types

_HOUR = timedelta(hours=1)


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Where a case stands under one policy; nothing of it changes with time alone.

    `score` is the case's own chance of being actionable; reason and abuse_type are those of its most severe
    report, of equal ones the newest.
    """

    score: float
    severity: float
    reason: str | None
    abuse_type: str | None
    exposure: float
    priority: float
    deadline_at: datetime


def assess_case(evidence: Evidence, policy: Policy) -> Standing:
    """Rank a case by what its reports say together."""
    score = pool_scores(evidence, policy.pool)
    worst, severity = _find_worst(evidence.grounds, policy)
    if evidence.sent is not None:
        exposure = evidence.sent.views
    else:
        hours = (evidence.last_made_at - evidence.first_made_at) / _HOUR
        exposure = estimate_exposure(evidence.n_reporters, hours, worst.abuse_type, policy.exposure)
    return Standing(
        score=score,
        severity=severity,
        reason=worst.reason,
        abuse_type=worst.abuse_type,
        exposure=exposure,
        priority=compute_priority(score, severity, exposure, policy),
        deadline_at=min(
            ground.first_received_at
            + policy.time_to_review(policy.severity_of(ground.reason, ground.abuse_type))
            for ground in evidence.grounds
        ),
    )


def pool_scores(evidence: Evidence, pool: PoolCoefficients) -> float:
    """The chance that a case is actionable: a logistic regression on the sums of its reporters' voices.

    sigmoid(b0 + b1 max l + b2 sum (l - l0) + b3 ln n + b4 sum r) over n reporters, l the log-odds of a score,
    l0 those of the base rate, r a record. The second term alone is naive Bayes; the others stand for what the
    reports on one target have in common.
    """
    return _to_chance(
        pool.intercept
        + pool.max_log_odds * evidence.max_log_odds
        + pool.sum_weight * evidence.sum_weight
        + pool.ln_reporters * log(evidence.n_reporters)
        + pool.sum_record * evidence.sum_record
    )


def estimate_exposure(n_reporters: int, hours: float, abuse_type: str | None, rules: ExposureRules) -> float:
    """Further views, by the reports that came; `hours` lie between the first and the last.

    The rate of reports expected under a gamma prior (Gelman et al., Bayesian Data Analysis, 2.6), of which
    the one that opened the case says nothing, times the life left and the views behind each report.
    """
    rate = (rules.prior_reports + n_reporters - 1) / (rules.prior_hours + hours)
    life = rules.life_hours.get(abuse_type or "", rules.other_life_hours)
    return min(rate * life * rules.views_per_report, MAX_EXPOSURE)


def prioritise_reports(
    reports: list[Report],
    scores: Sequence[float],
    base_rates: Iterable[float],
    schema: FeatureSchema,
    policy: Policy,
) -> list[float]:
    """The priority of each report, as `prioritise_alone` finds it; `schema` is what they were read by."""
    return prioritise_alone(
        scores,
        [None if report.reason is UNSET else report.reason for report in reports],
        abuse_types(reports, schema),
        [None if report.exposure is UNSET else report.exposure for report in reports],
        base_rates=base_rates,
        policy=policy,
    )


def prioritise_alone(
    scores: Sequence[float],
    reasons: Sequence[str | None],
    abuse_types: Sequence[str | None],
    exposures: Sequence[float | None],
    *,
    base_rates: Iterable[float],
    policy: Policy,
) -> list[float]:
    """The priority of each report as a case of its own, of a reporter without a record; None: not sent.

    `base_rates` are those of the models that gave the scores. To the bit what `assess_case` finds, written
    out in a tenth of its time: it stands in the path of every request, where calls cost (.2 us of .6).
    """
    pool, power = policy.pool, policy.exposure.power
    intercept, per_log_odds, per_weight = pool.intercept, pool.max_log_odds, pool.sum_weight
    known: dict[tuple[str | None, str | None], tuple[float, float]] = {}
    base_rate, base_log_odds = 0.5, 0.0
    priorities = []
    for score, reason, abuse_type, exposure, base in zip(
        scores, reasons, abuse_types, exposures, base_rates, strict=True
    ):
        if base != base_rate:
            base_rate, base_log_odds = base, to_log_odds(base)
        is_usual = LEAST_CHANCE <= score <= MOST_CHANCE
        log_odds = log(score / (1.0 - score)) if is_usual else to_log_odds(score)
        pooled = intercept + per_log_odds * log_odds + per_weight * (log_odds - base_log_odds + GRID - GRID)
        chance = 1.0 / (1.0 + exp(-pooled)) if -36.0 < pooled < 36.0 else _to_chance(pooled)
        kind = reason, abuse_type
        if kind not in known:
            unsent = estimate_exposure(1, 0.0, abuse_type, policy.exposure)
            known[kind] = policy.severity_of(reason, abuse_type), (1.0 + unsent) ** power
        severity, reach = known[kind]
        priorities.append(chance * severity * (reach if exposure is None else (1.0 + exposure) ** power))
    return priorities


def compute_priority(score: float, severity: float, exposure: float, policy: Policy) -> float:
    """Expected harm: chance x severity x (1 + exposure) ^ power; exposure in views to come, 0 if unknown.

    Never falls with the score, and rises with it by more than the last bits: two reports of equal severity
    and reach keep the order of their scores.
    """
    return float(score * severity * (1.0 + exposure) ** policy.exposure.power)


def rank(priorities: Sequence[float]) -> list[int]:
    """Indices by priority, highest first; ties keep the order given."""
    return sorted(range(len(priorities)), key=priorities.__getitem__, reverse=True)


def _to_chance(log_odds: float) -> float:
    """1 / (1 + e^-x), within (0, 1) however far x lies out."""
    if log_odds < -36.0:  # also where e^-x would be no float64
        return LEAST_CHANCE
    return min(1.0 / (1.0 + exp(-log_odds)), MOST_CHANCE)


def _find_worst(grounds: Sequence[Ground], policy: Policy) -> tuple[Ground, float]:
    severities = [policy.severity_of(ground.reason, ground.abuse_type) for ground in grounds]
    worst = max(range(len(grounds)), key=lambda index: (severities[index], grounds[index].last_received_at))
    return grounds[worst], severities[worst]
