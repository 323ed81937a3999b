"""Cases as answers carry them."""

from datetime import UTC, datetime, timedelta

import msgspec

from flagrank.api.shown_cases import show_case, view_case
from flagrank.triage.case import gather_evidence
from flagrank.triage.ports import ModelIdentity
from flagrank.triage.review import CaseDetail, LeaseDraw, PastDecision, PastLease, StoredReport, Verdict
from tests.case_reports import make_report
from tests.unit.triage.test_why import AT, CASE

REPORT = StoredReport(
    report_id="r-1",
    reporter_id="u-17",
    received_at=AT,
    made_at=AT,
    reason="scam",
    exposure=None,
    score=0.5,
    record=0.25,
    model=ModelIdentity("m", "1"),
    is_answered=False,
    fields={"reporter_id": "u-17", "report_text_len": 12},
    content_text=None,
)


def decision(number: int, hours: int, reversed_at: datetime | None = None) -> PastDecision:
    return PastDecision(
        decision_no=number,
        moderator="ann",
        verdict=Verdict.ACTIONED,
        reason=None,
        note=None,
        decided_at=AT + timedelta(hours=hours),
        reversed_at=reversed_at,
        reversed_by=None if reversed_at is None else "bob",
        reversal_reason=None if reversed_at is None else "appeal",
    )


def lease(number: int, hours: int) -> PastLease:
    at = AT + timedelta(hours=hours)
    return PastLease(
        lease_no=number, moderator="ann", draw=LeaseDraw.BLIND, leased_at=at, until=at, ended_at=None
    )


def view(*reports: StoredReport, **parts: tuple[object, ...]) -> dict[str, object]:
    evidence = gather_evidence([make_report()])
    detail = CaseDetail(case=CASE, evidence=evidence, reports=reports, decisions=(), leases=())
    detail = msgspec.structs.replace(detail, **parts)
    shown: dict[str, object] = msgspec.to_builtins(view_case(detail, [None] * len(reports), None))
    return shown


def test_times_are_in_utc_and_the_reason_why_is_told() -> None:
    shown = msgspec.to_builtins(show_case(CASE))
    assert shown["first_reported_at"] == "2026-01-05T00:00:00Z"
    assert shown["why"].startswith("Reported by 2 reporters, at worst for scam")


def test_a_report_is_shown_as_sent_with_its_id_and_what_is_left_of_its_text() -> None:
    written = msgspec.structs.replace(REPORT, report_id="r-2", content_text="text", fields={"a": 1})
    assert view(REPORT, written)["reports"] == [
        {"report_id": "r-1", "reporter_id": "u-17", "report_text_len": 12},
        {"report_id": "r-2", "a": 1, "content_text": "text"},
    ]


def test_history_is_told_in_the_order_in_which_it_happened() -> None:
    at = AT.astimezone(UTC)
    shown = view(
        REPORT,
        decisions=(decision(1, 2, at + timedelta(hours=3)), decision(2, 5)),
        leases=(lease(1, 1), lease(2, 4)),
    )
    history = shown["history"]
    assert isinstance(history, list)
    assert [(one["event"], one.get("is_reversed")) for one in history] == [
        ("lease", None),
        ("decision", True),
        ("lease", None),
        ("decision", False),
    ]
    assert history[0]["draw"] == "blind"
    assert history[1]["reversed_by"] == "bob"
