"""Looks cases up: a page of the queue, one with all that is known of it, how many are open."""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Select, bindparam, exists, func, select

from flagrank.storage.case_rows import CASE_COLUMNS, STATES, decode_evidence, is_behind, read_case_row
from flagrank.storage.case_tables import (
    IS_OPEN,
    MOST_URGENT_FIRST,
    decision,
    has_state,
    lease_log,
    report,
    review_case,
)
from flagrank.storage.dialect import read_clock
from flagrank.storage.engine import Database
from flagrank.triage.case import Evidence
from flagrank.triage.identifiers import parse_identifier
from flagrank.triage.ports import ModelIdentity
from flagrank.triage.review import (
    MAX_SHOWN_REPORTS,
    CaseDetail,
    LeaseDraw,
    PastDecision,
    PastLease,
    QueueCase,
    QueueCursor,
    QueuePage,
    QueueQuery,
    StoredReport,
    Verdict,
)

_SELECT_CASE = select(*CASE_COLUMNS, review_case.c.evidence).where(
    review_case.c.case_id == bindparam("known")
)
_SELECT_REPORTS = (
    select(report)
    .where(report.c.case_id == bindparam("known"))
    .order_by(report.c.score.desc(), report.c.received_at)
    .limit(MAX_SHOWN_REPORTS)
)
_SELECT_DECISIONS = (
    select(decision).where(decision.c.case_id == bindparam("known")).order_by(decision.c.decision_no)
)
_SELECT_LEASES = (
    select(lease_log).where(lease_log.c.case_id == bindparam("known")).order_by(lease_log.c.lease_no)
)


class StoredQueueReading:
    """The port `QueueReading` on a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list_cases(self, query: QueueQuery) -> QueuePage:
        """See the port."""
        with self._database.read() as connection:
            now = read_clock(connection)
            rows = connection.execute(select_cases(query, now)).all()
        cases = tuple(read_case_row(row, now) for row in rows[: query.limit])
        if len(rows) <= query.limit:
            return QueuePage(cases, None)
        return QueuePage(cases, QueueCursor(cases[-1].priority, cases[-1].case_id))

    def count_cases(self, most: int) -> int:
        """See the port."""
        found = select(review_case.c.case_id).where(IS_OPEN).limit(most).subquery()
        with self._database.read() as connection:
            return connection.scalar(select(func.count()).select_from(found)) or 0

    def has_cases(self) -> bool:
        """Whether there ever was a case."""
        with self._database.read() as connection:
            return bool(connection.scalar(select(exists(select(review_case.c.case_id)))))

    def list_evidence(self, limit: int) -> list[tuple[QueueCase, Evidence]]:
        """See the port."""
        with self._database.read() as connection:
            now = read_clock(connection)
            page = select_cases(QueueQuery(limit=limit), now).add_columns(review_case.c.evidence)
            rows = connection.execute(page.limit(limit))
            return [(read_case_row(row, now), decode_evidence(row.evidence)) for row in rows]

    def read_case(self, case_id: str) -> CaseDetail | None:
        """See the port."""
        known = parse_identifier(case_id)
        if known is None:
            return None
        with self._database.read() as connection:
            now = read_clock(connection)
            row = connection.execute(_SELECT_CASE, {"known": known}).one_or_none()
            return None if row is None else _read_detail(connection, row, now)


def select_cases(query: QueueQuery, now: datetime) -> Select[*tuple[Any, ...]]:
    """The most urgent rows that match, one more than the page has."""
    conditions = [has_state(STATES[query.status])]
    if query.abuse_type is not None:
        conditions.append(review_case.c.abuse_type == query.abuse_type)
    if query.reason is not None:
        conditions.append(review_case.c.reason == query.reason)
    if query.leased_by is not None:
        held = select(lease_log.c.case_id).where(
            lease_log.c.moderator == query.leased_by, lease_log.c.until > now
        )
        conditions += [
            review_case.c.case_id.in_(held),
            review_case.c.leased_by == query.leased_by,
            review_case.c.lease_until > now,
        ]
    if query.cursor is not None:
        conditions.append(is_behind(query.cursor))
    return select(*CASE_COLUMNS).where(*conditions).order_by(*MOST_URGENT_FIRST).limit(query.limit + 1)


def _read_detail(connection: Connection, row: Row[*tuple[Any, ...]], now: datetime) -> CaseDetail:
    known = {"known": row.case_id}
    case = read_case_row(row, now)
    return CaseDetail(
        case=case,
        evidence=decode_evidence(row.evidence),
        reports=tuple(_read_report(one) for one in connection.execute(_SELECT_REPORTS, known)),
        decisions=tuple(_read_decision(one) for one in connection.execute(_SELECT_DECISIONS, known)),
        leases=tuple(
            _read_lease(one, is_shown=case.status.is_final)
            for one in connection.execute(_SELECT_LEASES, known)
        ),
    )


def _read_report(row: Row[*tuple[Any, ...]]) -> StoredReport:
    return StoredReport(
        report_id=row.report_id,
        reporter_id=row.reporter_id,
        received_at=row.received_at,
        made_at=row.made_at,
        reason=row.reason,
        exposure=row.exposure,
        score=row.score,
        record=row.record,
        model=ModelIdentity(row.model_name, row.model_version),
        is_answered=row.is_answered,
        fields=msgspec.json.decode(row.fields),
        content_text=row.content_text,
    )


def _read_decision(row: Row[*tuple[Any, ...]]) -> PastDecision:
    return PastDecision(
        decision_no=row.decision_no,
        moderator=row.moderator,
        verdict=Verdict(row.verdict),
        reason=row.reason,
        note=row.note,
        decided_at=row.decided_at,
        reversed_at=row.reversed_at,
        reversed_by=row.reversed_by,
        reversal_reason=row.reversal_reason,
    )


def _read_lease(row: Row[*tuple[Any, ...]], *, is_shown: bool) -> PastLease:
    return PastLease(
        lease_no=row.lease_no,
        moderator=row.moderator,
        draw=LeaseDraw(row.draw) if is_shown else None,
        leased_at=row.leased_at,
        until=row.until,
        ended_at=row.ended_at,
    )
