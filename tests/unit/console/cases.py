"""A case and its parts as pages are given them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flagrank.triage.case import gather_evidence
from flagrank.triage.ports import ModelIdentity
from flagrank.triage.review import CaseDetail, CaseStatus, QueueCase, StoredReport
from tests.case_reports import START, make_report


def make_case(deadline_at: datetime = START, exposure: float = 0.0, severity: float = 1.0) -> QueueCase:
    """An open case of one report."""
    return QueueCase(
        case_id="0199c6a1-64a0-7c5e-9a0d-3f1b5d0e7a21",
        status=CaseStatus.OPEN,
        priority=0.5,
        score=0.5,
        severity=severity,
        exposure=exposure,
        reason="spam",
        abuse_type="MSG",
        reported_id="a",
        content_id=None,
        n_reports=1,
        n_reporters=1,
        first_reported_at=START,
        deadline_at=deadline_at,
        policy_version=1,
        leased_by=None,
        lease_expires_at=None,
        decided_at=None,
    )


def make_stored(
    reporter_id: str | None = "r1",
    record: float = 0.0,
    fields: Mapping[str, Any] | None = None,
    content_text: str | None = None,
) -> StoredReport:
    """A report of a case."""
    return StoredReport(
        report_id="r",
        reporter_id=reporter_id,
        received_at=START,
        made_at=START,
        reason="spam",
        exposure=None,
        score=0.5,
        record=record,
        model=ModelIdentity("report-priority", "3"),
        is_answered=False,
        fields=fields or {},
        content_text=content_text,
    )


def make_detail(*reports: StoredReport, case: QueueCase | None = None) -> CaseDetail:
    """A case with these reports."""
    return CaseDetail(
        case=case or make_case(),
        evidence=gather_evidence([make_report(0.5, reason="spam")]),
        reports=reports,
        decisions=(),
        leases=(),
    )
