"""What makes a case's priority: its factors, and what each part of the evidence adds to its score."""

from enum import StrEnum
from math import log

import msgspec

from flagrank.triage.case import Evidence
from flagrank.triage.policy import PoolCoefficients


class FactorKind(StrEnum):
    """What a priority is the product of."""

    SCORE = "score"
    SEVERITY = "severity"
    REACH = "reach"


class TermKind(StrEnum):
    """What the log-odds of a case's score are the sum of."""

    START = "start"
    STRONGEST = "strongest"
    WEIGHT = "weight"
    REPORTERS = "reporters"
    RECORDS = "records"


class Factor(msgspec.Struct, frozen=True):
    """One factor of a priority: above 1 it raises, below it lowers."""

    kind: FactorKind
    value: float


class Term(msgspec.Struct, frozen=True):
    """What one part of the evidence adds to the log-odds of the score, or takes from them."""

    kind: TermKind
    log_odds: float


def split_priority(score: float, severity: float, exposure: float, power: float) -> tuple[Factor, ...]:
    """The factors whose product is the priority, as in `triage.priority.compute_priority`."""
    return (
        Factor(FactorKind.SCORE, score),
        Factor(FactorKind.SEVERITY, severity),
        Factor(FactorKind.REACH, (1.0 + exposure) ** power),
    )


def split_score(evidence: Evidence, pool: PoolCoefficients) -> tuple[Term, ...]:
    """The terms whose sum are the log-odds of the score, as in `triage.priority.pool_scores`."""
    return (
        Term(TermKind.START, pool.intercept),
        Term(TermKind.STRONGEST, pool.max_log_odds * evidence.max_log_odds),
        Term(TermKind.WEIGHT, pool.sum_weight * evidence.sum_weight),
        Term(TermKind.REPORTERS, pool.ln_reporters * log(evidence.n_reporters)),
        Term(TermKind.RECORDS, pool.sum_record * evidence.sum_record),
    )
