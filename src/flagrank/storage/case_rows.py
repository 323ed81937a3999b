"""Rows of the case table <-> the words of the domain."""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Row, literal, tuple_
from sqlalchemy.sql.elements import ColumnElement

from flagrank.storage.case_tables import CaseState, review_case
from flagrank.triage.case import Evidence
from flagrank.triage.policy import Policy
from flagrank.triage.priority import assess_case
from flagrank.triage.review import CaseStatus, QueueCase, QueueCursor

STATES = {
    CaseStatus.OPEN: CaseState.OPEN,
    CaseStatus.ESCALATED: CaseState.ESCALATED,
    CaseStatus.ACTIONED: CaseState.ACTIONED,
    CaseStatus.DISMISSED: CaseState.DISMISSED,
}
_STATUSES = {state: status for status, state in STATES.items()}

CASE_COLUMNS = (
    *(review_case.c.case_id, review_case.c.status, review_case.c.priority, review_case.c.score),
    *(review_case.c.severity, review_case.c.exposure, review_case.c.reason, review_case.c.abuse_type),
    *(review_case.c.reported_id, review_case.c.content_id, review_case.c.n_reports),
    *(review_case.c.n_reporters, review_case.c.first_reported_at, review_case.c.deadline_at),
    *(review_case.c.policy_version, review_case.c.leased_by, review_case.c.lease_until),
    review_case.c.decided_at,
)

encode_evidence = msgspec.msgpack.Encoder().encode
decode_evidence = msgspec.msgpack.Decoder(Evidence).decode


def read_case_row(row: Row[*tuple[Any, ...]], now: datetime) -> QueueCase:
    """The case of a row that has `CASE_COLUMNS`; a lease that is over is none."""
    is_leased = row.lease_until is not None and row.lease_until > now
    return QueueCase(
        case_id=row.case_id,
        status=_STATUSES[CaseState(row.status)],
        priority=row.priority,
        score=row.score,
        severity=row.severity,
        exposure=row.exposure,
        reason=row.reason,
        abuse_type=row.abuse_type,
        reported_id=row.reported_id,
        content_id=row.content_id,
        n_reports=row.n_reports,
        n_reporters=row.n_reporters,
        first_reported_at=row.first_reported_at,
        deadline_at=row.deadline_at,
        policy_version=row.policy_version,
        leased_by=row.leased_by if is_leased else None,
        lease_expires_at=row.lease_until if is_leased else None,
        decided_at=row.decided_at,
    )


def is_behind(cursor: QueueCursor) -> ColumnElement[bool]:
    """Whether a case comes after the cursor's, most urgent first; rows compare as one, so an index serves."""
    last = tuple_(literal(cursor.priority), literal(cursor.case_id, review_case.c.case_id.type))
    return tuple_(review_case.c.priority, review_case.c.case_id) < last


def evidence_values(evidence: Evidence) -> dict[str, Any]:
    """What is stored of the evidence itself."""
    return {
        "evidence": encode_evidence(evidence),
        "n_reports": evidence.n_reports,
        "n_reporters": evidence.n_reporters,
        "first_reported_at": evidence.first_received_at,
    }


def rank_values(evidence: Evidence, policy: Policy) -> dict[str, Any]:
    """What is stored of where a case stands under a policy."""
    standing = assess_case(evidence, policy)
    return {
        "score": standing.score,
        "severity": standing.severity,
        "reason": standing.reason,
        "abuse_type": standing.abuse_type,
        "exposure": standing.exposure,
        "priority": standing.priority,
        "deadline_at": standing.deadline_at,
        "policy_version": policy.version,
    }
