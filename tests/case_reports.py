"""Reports as a case hears them, at minutes after one fixed time."""

from datetime import UTC, datetime, timedelta

from flagrank.triage.case import CaseReport, make_voice

START = datetime(2027, 1, 5, 10, tzinfo=UTC)
BASE_RATE = 0.3


def at(minutes: float) -> datetime:
    """So many minutes after the start."""
    return START + timedelta(minutes=minutes)


def make_report(
    score: float = 0.5,
    reporter: str | None = None,
    minutes: float = 0.0,
    *,
    record: float = 0.0,
    made: float | None = None,
    reason: str | None = None,
    abuse_type: str | None = None,
    exposure: float | None = None,
    base_rate: float = BASE_RATE,
) -> CaseReport:
    """A report received at `minutes` and made then, or at `made`."""
    return CaseReport(
        voice=make_voice(score, base_rate, record),
        received_at=at(minutes),
        made_at=at(minutes if made is None else made),
        reporter=reporter,
        reason=reason,
        abuse_type=abuse_type,
        exposure=exposure,
    )
