"""Priority: the harm that waiting is expected to cause."""

from collections.abc import Sequence

from msgspec import UNSET

from flagrank.triage.policy import Policy
from flagrank.triage.report import Report


def compute_priority(score: float, severity: float, exposure: float, policy: Policy) -> float:
    """Expected harm: chance x severity x (1 + exposure) ^ power; exposure in views to come, 0 if unknown.

    Never falls with the score, and rises with it by more than the last bits: two reports of equal severity
    and reach keep the order of their scores.
    """
    return float(score * severity * (1.0 + exposure) ** policy.exposure_power)


def prioritise(reports: Sequence[Report], scores: Sequence[float], policy: Policy) -> list[float]:
    """The priority of each report as a case of its own, in the order given."""
    return [
        compute_priority(
            score,
            policy.severity_of(None if report.reason is UNSET else report.reason),
            0.0 if report.exposure is UNSET else report.exposure,
            policy,
        )
        for report, score in zip(reports, scores, strict=True)
    ]


def rank(priorities: Sequence[float]) -> list[int]:
    """Indices by priority, highest first; ties keep the order given."""
    return sorted(range(len(priorities)), key=priorities.__getitem__, reverse=True)
