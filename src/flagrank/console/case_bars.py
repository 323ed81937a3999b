"""What makes a case's priority, as bars: the factors of the priority, the terms of the score."""

from collections.abc import Sequence
from math import log

import msgspec

from flagrank.triage.contributions import Factor, FactorKind, TermKind, split_priority, split_score
from flagrank.triage.policy import Policy
from flagrank.triage.review import CaseDetail, QueueCase

HALF_WIDTH = 100.0  # of a bar's drawing, in its own units
_LEAST_WIDTH = 1.0  # what is not nothing can be seen

_TERM_LABELS = {
    TermKind.START: "Where every case starts",
    TermKind.STRONGEST: "The strongest report",
    TermKind.WEIGHT: "All reports together",
    TermKind.REPORTERS: "How many reporters",
    TermKind.RECORDS: "Their records",
}


class Bar(msgspec.Struct, frozen=True):
    """One row: a bar from the middle to the right (it raises) or to the left, and its number in words."""

    label: str
    words: str
    raises: bool
    start: float
    width: float


def draw_factors(case: QueueCase, policy: Policy) -> list[Bar]:
    """The factors of the priority; a bar is as long as its factor's logarithm, so that lengths add up."""
    factors = split_priority(case.score, case.severity, case.exposure, policy.exposure.power)
    told = [
        (_label_factor(factor, case), f"\N{MULTIPLICATION SIGN} {_show(factor.value)}") for factor in factors
    ]
    return _draw(told, [log(factor.value) for factor in factors])


def draw_terms(detail: CaseDetail, policy: Policy) -> list[Bar]:
    """The terms of the score's log-odds."""
    terms = split_score(detail.evidence, policy.pool)
    return _draw(
        [(_TERM_LABELS[term.kind], f"{term.log_odds:+.2f}") for term in terms],
        [term.log_odds for term in terms],
    )


def _label_factor(factor: Factor, case: QueueCase) -> str:
    match factor.kind:
        case FactorKind.SCORE:
            return "Chance that it deserves action"
        case FactorKind.SEVERITY:
            return "Severity"
        case FactorKind.REACH:
            return f"Reach: {case.exposure:,.0f} further {'view' if round(case.exposure) == 1 else 'views'}"


def _show(value: float) -> str:
    return f"{value:,.0f}" if value >= 1_000 else f"{value:.3g}"


def _draw(texts: Sequence[tuple[str, str]], lengths: Sequence[float]) -> list[Bar]:
    longest = max(map(abs, lengths)) or 1.0
    bars = []
    for (label, words), length in zip(texts, lengths, strict=True):
        width = HALF_WIDTH * abs(length) / longest
        width = max(width, _LEAST_WIDTH) if length else 0.0
        start = HALF_WIDTH if length >= 0 else HALF_WIDTH - width
        bars.append(Bar(label, words, length >= 0, round(start, 2), round(width, 2)))
    return bars
