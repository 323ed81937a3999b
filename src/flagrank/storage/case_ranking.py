"""Ranks open cases anew in small batches, beside the work on them: for a policy, for news of a reporter."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, delete, select

from flagrank.storage.case_rows import STATES, decode_evidence, evidence_values, is_behind, rank_values
from flagrank.storage.case_tables import IS_UNDECIDED, MOST_URGENT_FIRST, has_state, report, review_case
from flagrank.storage.dialect import Among, update_rows
from flagrank.storage.engine import Database
from flagrank.storage.known_reporters import KnownReporters, read_reporters, read_shares
from flagrank.storage.reporter_tables import stale_case
from flagrank.triage.case import CaseReport, Voice, gather_evidence
from flagrank.triage.policy import Policy
from flagrank.triage.review import CaseStatus, QueueCursor

_SELECT_STALE = (
    select(stale_case.c.case_id)
    .order_by(stale_case.c.case_id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_LOCK_CASES = (
    select(review_case.c.case_id)
    .where(Among(review_case.c.case_id, "cases"), IS_UNDECIDED)
    .order_by(review_case.c.join_key, review_case.c.case_id)
    .with_for_update()
)
_SELECT_REPORTS = select(
    report.c.report_id,
    report.c.case_id,
    report.c.reporter_id,
    report.c.received_at,
    report.c.made_at,
    report.c.reason,
    report.c.abuse_type,
    report.c.exposure,
    report.c.log_odds,
    report.c.weight,
    report.c.record,
).where(Among(report.c.case_id, "cases"))


class StoredCaseRanking:
    """The port `CaseRanking` on a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def rank_again(
        self, policy: Policy, status: CaseStatus, cursor: QueueCursor | None, limit: int
    ) -> QueueCursor | None:
        """See the port."""
        with self._database.write() as (connection, _):
            rows = connection.execute(select_outdated(policy, status, cursor, limit)).all()
            if not rows:
                return None
            ranked = [
                {"case_id": row.case_id, **rank_values(decode_evidence(row.evidence), policy)} for row in rows
            ]
            update_rows(connection, review_case, ranked, {})
        return QueueCursor(rows[-1].priority, rows[-1].case_id)

    def gather_again(self, policy: Policy, limit: int) -> int:
        """See the port."""
        with self._database.write() as (connection, now):
            stale = connection.scalars(_SELECT_STALE, {"most": limit}).all()
            if not stale:
                return 0
            connection.execute(
                delete(stale_case).where(Among(stale_case.c.case_id, "cases")), {"cases": stale}
            )
            cases = connection.scalars(_LOCK_CASES, {"cases": stale}).all()
            if cases:
                reports = connection.execute(_SELECT_REPORTS, {"cases": cases}).all()
                named = {row.reporter_id for row in reports if row.reporter_id is not None}
                shares = read_shares(connection, now, policy.reporters)
                known = read_reporters(connection, named, now, shares, policy.reporters)
                _gather(connection, reports, known, policy)
        return len(stale)


def select_outdated(
    policy: Policy, status: CaseStatus, cursor: QueueCursor | None, limit: int
) -> Select[*tuple[Any, ...]]:
    """The most urgent cases behind the cursor that another policy has ranked, locked."""
    conditions = [
        has_state(STATES[status]),
        review_case.c.policy_version != policy.version,
    ]
    if cursor is not None:
        conditions.append(is_behind(cursor))
    return (
        select(review_case.c.case_id, review_case.c.priority, review_case.c.evidence)
        .where(*conditions)
        .order_by(*MOST_URGENT_FIRST)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )


def _gather(
    connection: Connection, rows: Sequence[Row[*tuple[Any, ...]]], known: KnownReporters, policy: Policy
) -> None:
    by_case: dict[str, list[CaseReport]] = {}
    records = []
    for row in rows:
        counted = known.give_voice(_read_counted(row))
        by_case.setdefault(row.case_id, []).append(counted)
        if counted.voice.record != row.record:
            records.append({"report_id": row.report_id, "record": counted.voice.record})
    gathered = []
    for case_id, reports in by_case.items():
        evidence = gather_evidence(reports)
        gathered.append({"case_id": case_id, **evidence_values(evidence), **rank_values(evidence, policy)})
    update_rows(connection, review_case, gathered, {})
    if records:
        update_rows(connection, report, records, {})


def _read_counted(row: Row[*tuple[Any, ...]]) -> CaseReport:
    return CaseReport(
        voice=Voice(row.log_odds, row.weight, row.record),
        received_at=row.received_at,
        made_at=row.made_at,
        reporter=row.reporter_id,
        reason=row.reason,
        abuse_type=row.abuse_type,
        exposure=row.exposure,
    )
