"""A case as its page shows it: every text still as somebody sent it, to be escaped and isolated there."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from math import exp
from typing import Any

import msgspec

from flagrank.console.case_bars import Bar, draw_factors, draw_terms
from flagrank.console.deadlines import Due, tell_deadline
from flagrank.triage.policy import Policy
from flagrank.triage.report import CONTEXT_FIELDS
from flagrank.triage.review import CaseDetail, PastDecision, PastLease, QueueCase, StoredReport
from flagrank.triage.why import tell_why

FIRST_REPORTS = 5  # the others are folded away
_LINKS = ("http://", "https://")


class ReportView(msgspec.Struct, frozen=True):
    """A report; text and link are None where it has none, or where a stronger one has the same."""

    report: StoredReport
    record: str
    text: str | None
    repeats_text: bool
    link: str | None
    features: tuple[tuple[str, str], ...]


class Event(msgspec.Struct, frozen=True):
    """One thing that was done with a case: by whom, and in whose words why."""

    at: datetime
    who: str
    what: str
    said: tuple[str, ...] = ()


class CaseView(msgspec.Struct, frozen=True):
    """All that the page of a case shows; it is current where the policy in force has ranked it."""

    case: QueueCase
    why: str
    due: Due
    factors: Sequence[Bar]
    terms: Sequence[Bar]
    is_current: bool
    first_reports: Sequence[ReportView]
    other_reports: Sequence[ReportView]
    n_left_out: int
    has_text: bool
    history: Sequence[Event]


def view_case(detail: CaseDetail, policy: Policy, now: datetime) -> CaseView:
    """Put a case together for its page."""
    reports = list(_view_reports(detail.reports))
    return CaseView(
        case=detail.case,
        why=tell_why(detail.case),
        due=tell_deadline(detail.case, now),
        factors=draw_factors(detail.case, policy),
        terms=draw_terms(detail, policy),
        is_current=detail.case.policy_version == policy.version,
        first_reports=reports[:FIRST_REPORTS],
        other_reports=reports[FIRST_REPORTS:],
        n_left_out=max(detail.case.n_reports - len(reports), 0),
        has_text=any(report.text is not None for report in reports),
        history=sorted(_tell_history(detail), key=lambda event: event.at),
    )


def tell_record(report: StoredReport) -> str:
    """How often this reporter's cases were actioned, beside what is usual for the reason."""
    if report.reporter_id is None:
        return "by whom was not told"
    if report.record == 0:
        return "no record yet"
    return f"actioned {exp(report.record):.2g} times as often as usual"


def _view_reports(reports: Iterable[StoredReport]) -> Iterator[ReportView]:
    texts: set[str | None] = {None}
    links: set[str | None] = {None}
    for report in reports:
        text, link = report.content_text, _read_link(report)
        yield ReportView(
            report=report,
            record=tell_record(report),
            text=None if text in texts else text,
            repeats_text=text is not None and text in texts,
            link=None if link in links else link,
            features=tuple(
                (name, _show(value)) for name, value in report.fields.items() if name not in CONTEXT_FIELDS
            ),
        )
        texts.add(text)
        links.add(link)


def _read_link(report: StoredReport) -> str | None:
    """Only what a browser takes for a page: nothing that runs."""
    link = report.fields.get("content_url")
    return link if isinstance(link, str) and link.lower().startswith(_LINKS) else None


def _show(value: Any) -> str:  # noqa: ANN401 - of any feature
    match value:
        case None:
            return "unknown"
        case bool():
            return "yes" if value else "no"
        case int() | float():
            return f"{value:,.10g}"
        case _:
            return str(value)


def _tell_history(detail: CaseDetail) -> Iterator[Event]:
    for lease in detail.leases:
        yield from _tell_lease(lease)
    for decision in detail.decisions:
        yield from _tell_decision(decision)


def _tell_lease(lease: PastLease) -> Iterator[Event]:
    drawn = "" if lease.draw is None else f", drawn by {lease.draw}"
    yield Event(lease.leased_at, lease.moderator, f"took it{drawn}")


def _tell_decision(decision: PastDecision) -> Iterator[Event]:
    said = tuple(text for text in (decision.reason, decision.note) if text)
    yield Event(decision.decided_at, decision.moderator, str(decision.verdict), said)
    if decision.reversed_at is not None:
        reason = () if decision.reversal_reason is None else (decision.reversal_reason,)
        yield Event(decision.reversed_at, decision.reversed_by or "", "opened it again", reason)
