"""The case: what all reports on one target say together, kept as sums that take a report in constant time."""

from collections.abc import Iterable
from datetime import datetime
from math import log

import msgspec

# What float64 tells from 0 and 1 as well on either side: log-odds of 36.
LEAST_CHANCE = 2.0**-52
MOST_CHANCE = 1.0 - LEAST_CHANCE
MOST_GROUNDS = 64  # of a case; a default policy and schema have 20

# What a sum with it rounds away lies below 2^-30, up to two million on either side. Multiples of that add up
# without rounding up to sums of eight million, so that the order of reports and what was subtracted since
# leave no trace in a sum.
GRID = 1.5 * 2.0**22


class Voice(msgspec.Struct, frozen=True):
    """What one reporter says on one case, whatever the number of their reports: the most of each number.

    `log_odds` are those of the score. `weight` is how far they lie above those of the base rate in the
    model's training data: the weight of evidence (Good, Probability and the Weighing of Evidence, 1950).
    `record` is what `triage.reporter_record` makes of the reporter's decided cases, 0 where nobody is named.
    """

    log_odds: float
    weight: float
    record: float

    def join(self, other: "Voice") -> "Voice":
        """Both as one voice: in any order, and as often as one likes, the same."""
        return Voice(
            max(self.log_odds, other.log_odds),
            max(self.weight, other.weight),
            max(self.record, other.record),
        )


class CaseReport(msgspec.Struct, frozen=True, kw_only=True):
    """What counts of a report in its case.

    `reporter` is the reporter_id, or the name of the group in step that the reporter is of; None where the
    report has none. `made_at` is reported_at, else the time received.
    """

    voice: Voice
    received_at: datetime
    made_at: datetime
    reporter: str | None = None
    reason: str | None = None
    abuse_type: str | None = None
    exposure: float | None = None


class Ground(msgspec.Struct, frozen=True):
    """The reports of one reason and abuse_type: what severity and deadline follow from, under any policy."""

    reason: str | None
    abuse_type: str | None
    first_received_at: datetime
    last_received_at: datetime


class SentExposure(msgspec.Struct, frozen=True):
    """The exposure that the caller sent last, and when."""

    views: float
    received_at: datetime


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """All reports of a case, in constant space; free of the order in which they came.

    `n_reporters` counts different voices, all reports without a reporter as one, whose voice is `anonymous`.
    The sums are over the voices.
    """

    n_reports: int
    n_reporters: int
    max_log_odds: float
    sum_weight: float
    sum_record: float
    anonymous: Voice | None
    grounds: tuple[Ground, ...]
    first_made_at: datetime
    last_made_at: datetime
    sent: SentExposure | None

    @property
    def first_received_at(self) -> datetime:
        """When the first report came in: `first_reported_at` on the wire."""
        return min(ground.first_received_at for ground in self.grounds)


def make_voice(score: float, base_rate: float, record: float = 0.0) -> Voice:
    """The voice of one report; `base_rate` is the share of actionable reports the model was trained with."""
    log_odds = to_log_odds(score)
    return Voice(log_odds, round_for_sums(log_odds - to_log_odds(base_rate)), round_for_sums(record))


def to_log_odds(chance: float) -> float:
    """ln(chance / (1 - chance)), within +-36.05 also where the chance is 0 or 1."""
    if not LEAST_CHANCE <= chance <= MOST_CHANCE:
        chance = LEAST_CHANCE if chance < LEAST_CHANCE else MOST_CHANCE
    return log(chance / (1.0 - chance))


def round_for_sums(value: float) -> float:
    """The nearest number whose sums are exact; 5e-10 away at most."""
    return value + GRID - GRID


def add_report(evidence: Evidence | None, report: CaseReport, before: Voice | None) -> Evidence:
    """The evidence with one more report; None where it is the first.

    `before` is what this reporter has said on the case until now, None where nothing; the caller keeps it and
    keeps `before.join(report.voice)` next. It is not read where the report has no reporter: that voice is in
    the evidence. Exposure counts by the time received; of two at the same time the one added later.
    """
    if evidence is None:
        return _open_evidence(report)
    if report.reporter is None:
        before = evidence.anonymous
    after = report.voice if before is None else before.join(report.voice)
    sent = _read_exposure(report)
    if sent is None or (evidence.sent and evidence.sent.received_at > sent.received_at):
        sent = evidence.sent
    return Evidence(
        n_reports=evidence.n_reports + 1,
        n_reporters=evidence.n_reporters + (before is None),
        max_log_odds=max(evidence.max_log_odds, after.log_odds),
        sum_weight=evidence.sum_weight + after.weight - (before.weight if before else 0.0),
        sum_record=evidence.sum_record + after.record - (before.record if before else 0.0),
        anonymous=after if report.reporter is None else evidence.anonymous,
        grounds=_add_ground(evidence.grounds, report),
        first_made_at=min(evidence.first_made_at, report.made_at),
        last_made_at=max(evidence.last_made_at, report.made_at),
        sent=sent,
    )


def gather_evidence(reports: Iterable[CaseReport]) -> Evidence:
    """The evidence of one or more reports read again, to the bit as they were added one by one.

    For what changes the voices themselves: another model, a reporter's record, reporters found in step.
    """
    voices: dict[str | None, Voice] = {}
    evidence = None
    for report in reports:
        before = voices.get(report.reporter)
        evidence = add_report(evidence, report, before)
        voices[report.reporter] = before.join(report.voice) if before else report.voice
    if evidence is None:
        message = "A case has one report or more."
        raise ValueError(message)
    return evidence


def join_key(reported_id: str | None, content_id: str | None) -> str | None:
    """What the reports of one open case share: who is reported, else which content; None: it has but one."""
    if reported_id is not None:
        return f"reported:{reported_id}"
    return None if content_id is None else f"content:{content_id}"


def is_answered(made_at: datetime, decided_at: datetime) -> bool:
    """Whether a decision has answered a report on its target: one made before it, whenever it comes in."""
    return made_at < decided_at


def _open_evidence(report: CaseReport) -> Evidence:
    voice = report.voice
    return Evidence(
        n_reports=1,
        n_reporters=1,
        max_log_odds=voice.log_odds,
        sum_weight=voice.weight,
        sum_record=voice.record,
        anonymous=voice if report.reporter is None else None,
        grounds=(Ground(report.reason, report.abuse_type, report.received_at, report.received_at),),
        first_made_at=report.made_at,
        last_made_at=report.made_at,
        sent=_read_exposure(report),
    )


def _read_exposure(report: CaseReport) -> SentExposure | None:
    return None if report.exposure is None else SentExposure(report.exposure, report.received_at)


def _add_ground(grounds: tuple[Ground, ...], report: CaseReport) -> tuple[Ground, ...]:
    by_kind = {(ground.reason, ground.abuse_type): ground for ground in grounds}
    kind = (report.reason, report.abuse_type)
    if kind not in by_kind and len(grounds) >= MOST_GROUNDS:  # an open category has words without end
        kind = (report.reason, None)
    first = last = report.received_at
    if kind in by_kind:
        first = min(first, by_kind[kind].first_received_at)
        last = max(last, by_kind[kind].last_received_at)
    by_kind[kind] = Ground(*kind, first, last)
    return tuple(by_kind[kind] for kind in sorted(by_kind, key=lambda kind: (kind[0] or "", kind[1] or "")))
