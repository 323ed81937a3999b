"""Cases as answers carry them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta

from flagrank.triage.explanation import Explanation
from flagrank.triage.ports import ModelIdentity
from flagrank.triage.review import (
    CaseDetail,
    CaseStatus,
    LeaseDraw,
    PastDecision,
    PastLease,
    QueueCase,
    StoredReport,
    Verdict,
)
from flagrank.triage.why import tell_why

_Time: TypeAlias = Annotated[datetime, Meta(tz=True)]
CaseId: TypeAlias = Annotated[str, Meta(extra_json_schema={"format": "uuid"})]


class ShownCase(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A case as lists show it."""

    case_id: CaseId
    status: CaseStatus
    priority: Annotated[float, Meta(description="expected harm of waiting; the order of the queue")]
    score: Annotated[float, Meta(description="the chance that the case deserves action")]
    severity: Annotated[float, Meta(description="of its worst report, in units of one spam report")]
    exposure: Annotated[float, Meta(description="further views, as sent last, else estimated")]
    reason: Annotated[str | None, Meta(description="of its worst report")]
    abuse_type: Annotated[str | None, Meta(description="the same")]
    reported_id: Annotated[str | None, Meta(description="whom it is about")]
    content_id: Annotated[str | None, Meta(description="what its first report is about")]
    n_reports: int
    n_reporters: Annotated[int, Meta(description="different ones; all without reporter_id are one")]
    first_reported_at: _Time
    deadline_at: Annotated[_Time, Meta(description="by when it is to be reviewed")]
    policy_version: Annotated[int, Meta(description="of the policy that ranked it")]
    leased_by: Annotated[str | None, Meta(description="the moderator who holds it now")]
    lease_expires_at: _Time | None
    decided_at: Annotated[_Time | None, Meta(description="by the final decision that stands")]
    why: Annotated[str, Meta(description="one sentence for people: what its priority is made of")]


class ShownQueue(msgspec.Struct, frozen=True):
    """A page of the queue, highest priority first."""

    cases: list[ShownCase]
    next: Annotated[str | None, Meta(description="the next page's `cursor`; null at the end")]


class LeasedCases(msgspec.Struct, frozen=True):
    """The cases that were leased, highest priority first."""

    cases: list[ShownCase]


class TheirCases(msgspec.Struct, frozen=True):
    """Which of the cases named were the moderator's."""

    case_ids: list[CaseId]


class ReceivedReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the service knows of a report beside what was sent."""

    received_at: _Time
    made_at: Annotated[_Time, Meta(description="reported_at, else the time received")]
    model: Annotated[ModelIdentity, Meta(description="that scored it")]
    record: Annotated[float, Meta(description="the reporter's: above 0 where their reports were often right")]
    is_answered: Annotated[bool, Meta(description="made before the decision, and came in after it")]


class ShownDecision(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="decision"):
    """A decision in a case's history, and its reversal where there was one."""

    at: _Time
    moderator: str
    decision: Verdict
    decision_no: int
    reason: str | None
    note: str | None
    is_reversed: bool
    reversed_at: _Time | None
    reversed_by: str | None
    reversal_reason: str | None


class ShownLease(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="lease"):
    """A lease in a case's history."""

    at: _Time
    moderator: str
    lease_no: int
    draw: Annotated[LeaseDraw | None, Meta(description="how the case was drawn; null until it is decided")]
    until: _Time
    ended_at: Annotated[_Time | None, Meta(description="null where it was never ended: it ends at `until`")]


class CaseView(ShownCase, frozen=True, kw_only=True):
    """A case by itself: its strongest reports, at most 100 of them, and what was done with it."""

    reports: Annotated[list[dict[str, Any]], Meta(description="as sent, highest score first")]
    received: Annotated[list[ReceivedReport], Meta(description="of each report, in the same order")]
    scores: Annotated[list[float], Meta(description="the same")]
    explanations: Annotated[
        list[Explanation | None],
        Meta(description="the same: of the score that `explained_by` gives the report; null but for five"),
    ]
    explained_by: Annotated[
        ModelIdentity | None, Meta(description="the champion; null where nothing was explained")
    ]
    history: Annotated[list[ShownDecision | ShownLease], Meta(description="oldest first")]


def show_case(case: QueueCase) -> ShownCase:
    """A case as it is listed."""
    return ShownCase(**msgspec.structs.asdict(case), why=tell_why(case))


def view_case(
    detail: CaseDetail, explanations: Sequence[Explanation | None], explained_by: ModelIdentity | None
) -> CaseView:
    """A case as it is shown by itself; an explanation of each report."""
    history: list[ShownDecision | ShownLease] = [_show_decision(one) for one in detail.decisions]
    history += [_show_lease(one) for one in detail.leases]
    return CaseView(
        **msgspec.structs.asdict(show_case(detail.case)),
        reports=[_show_report(report) for report in detail.reports],
        received=[_show_receipt(report) for report in detail.reports],
        scores=[report.score for report in detail.reports],
        explanations=list(explanations),
        explained_by=explained_by,
        history=sorted(history, key=lambda event: event.at),
    )


def _show_report(report: StoredReport) -> dict[str, Any]:
    shown = {"report_id": report.report_id, **report.fields}
    return shown if report.content_text is None else shown | {"content_text": report.content_text}


def _show_receipt(report: StoredReport) -> ReceivedReport:
    return ReceivedReport(
        received_at=report.received_at,
        made_at=report.made_at,
        model=report.model,
        record=report.record,
        is_answered=report.is_answered,
    )


def _show_decision(decision: PastDecision) -> ShownDecision:
    return ShownDecision(
        at=decision.decided_at,
        moderator=decision.moderator,
        decision=decision.verdict,
        decision_no=decision.decision_no,
        reason=decision.reason,
        note=decision.note,
        is_reversed=decision.reversed_at is not None,
        reversed_at=decision.reversed_at,
        reversed_by=decision.reversed_by,
        reversal_reason=decision.reversal_reason,
    )


def _show_lease(lease: PastLease) -> ShownLease:
    return ShownLease(
        at=lease.leased_at,
        moderator=lease.moderator,
        lease_no=lease.lease_no,
        draw=lease.draw,
        until=lease.until,
        ended_at=lease.ended_at,
    )
