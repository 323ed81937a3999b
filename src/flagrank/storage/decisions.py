"""Decisions on cases and their reversal, each one transaction with its audit row."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, exists, select, update

from flagrank.storage.audit import write_audit
from flagrank.storage.case_rows import (
    CASE_COLUMNS,
    STATES,
    decode_evidence,
    rank_values,
    read_case_row,
)
from flagrank.storage.case_tables import (
    IS_UNDECIDED,
    CaseState,
    decision,
    lease_log,
    report,
    review_case,
)
from flagrank.storage.engine import Database, Transaction
from flagrank.triage.audit import AuditAction, Change
from flagrank.triage.errors import CaseConflict, OwnCause, StoreRefused
from flagrank.triage.identifiers import parse_identifier
from flagrank.triage.policy import Policy
from flagrank.triage.review import CaseStatus, QueueCase, Reversal, Ruling, check_ruling, make_unknown_case

_COLUMNS = (
    *CASE_COLUMNS,
    review_case.c.join_key,
    review_case.c.evidence,
    review_case.c.lease_no,
    review_case.c.decision_no,
)


class StoredDeciding:
    """The port `Deciding` on a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def decide(self, case_id: str, ruling: Ruling, policy: Policy) -> QueueCase:
        """See the port."""
        with self._database.write() as transaction:
            connection, now = transaction
            row = _lock(connection, case_id)
            _refuse_own_cause(connection, row, ruling.moderator, policy)
            found = read_case_row(row, now)
            if not check_ruling(found, ruling):
                return found
            _end_lease(connection, row, now)
            status = CaseStatus(ruling.verdict.value)
            _update(
                connection,
                row.case_id,
                status=int(STATES[status]),
                decision_no=row.decision_no + 1,
                decided_at=now if status.is_final else None,
                leased_by=None,
                lease_until=None,
            )
            connection.execute(decision.insert(), _decision_row(row, ruling, found, now))
            after = {"status": status, "decision_no": row.decision_no + 1, "moderator": ruling.moderator}
            change = Change(ruling.actor, ruling.reason)
            _note(transaction, change, AuditAction.DECIDE, found, after)
            return read_case_row(_read(connection, row.case_id), now)

    def reopen(self, case_id: str, reversal: Reversal, policy: Policy) -> QueueCase:
        """See the port."""
        try:
            return self._reopen(case_id, reversal, policy)
        except StoreRefused:  # another case on its target was opened at the same moment: now it is seen
            return self._reopen(case_id, reversal, policy)

    def _reopen(self, case_id: str, reversal: Reversal, policy: Policy) -> QueueCase:
        with self._database.write() as transaction:
            connection, now = transaction
            row = _lock(connection, case_id)
            _refuse_own_cause(connection, row, reversal.moderator, policy)
            found = read_case_row(row, now)
            _refuse_to_reopen(connection, row)
            _update(
                connection,
                row.case_id,
                status=int(CaseState.OPEN),
                decided_at=None,
                **rank_values(decode_evidence(row.evidence), policy),
            )
            connection.execute(
                update(decision)
                .where(decision.c.case_id == row.case_id, decision.c.decision_no == row.decision_no)
                .values(
                    reversed_at=now,
                    reversed_by=reversal.moderator,
                    reversal_reason=reversal.reason,
                    is_due=decision.c.is_counted,
                )
            )
            after = {
                "status": CaseStatus.OPEN,
                "reverses": row.decision_no,
                "moderator": reversal.moderator,
            }
            change = Change(reversal.actor, reversal.reason)
            _note(transaction, change, AuditAction.REOPEN, found, after)
            return read_case_row(_read(connection, row.case_id), now)


def _lock(connection: Connection, case_id: str) -> Row[*tuple[Any, ...]]:
    known = parse_identifier(case_id)
    row = None
    if known is not None:
        found = select(*_COLUMNS).where(review_case.c.case_id == known).with_for_update()
        row = connection.execute(found).one_or_none()
    if row is None:
        raise make_unknown_case()
    return row


def _read(connection: Connection, case_id: str) -> Row[*tuple[Any, ...]]:
    return connection.execute(select(*CASE_COLUMNS).where(review_case.c.case_id == case_id)).one()


def _update(connection: Connection, case_id: str, **values: Any) -> None:  # noqa: ANN401 - of any column
    connection.execute(update(review_case).where(review_case.c.case_id == case_id).values(values))


def _refuse_own_cause(
    connection: Connection, row: Row[*tuple[Any, ...]], moderator: str, policy: Policy
) -> None:
    persons = policy.persons_of(moderator)
    if row.reported_id in persons:
        raise OwnCause(f"The case is about {moderator}. Leave it to another moderator.")
    reported = exists().where(report.c.case_id == row.case_id, report.c.reporter_id.in_(persons))
    if connection.scalar(select(reported)):
        raise OwnCause(f"{moderator} is one of those who reported this case. Leave it to another moderator.")


def _refuse_to_reopen(connection: Connection, row: Row[*tuple[Any, ...]]) -> None:
    if row.status == CaseState.OPEN:
        raise CaseConflict("The case is open: there is no decision to reverse.")
    if row.join_key is not None:
        other = connection.scalar(
            select(review_case.c.case_id).where(
                review_case.c.join_key == row.join_key, IS_UNDECIDED, review_case.c.case_id != row.case_id
            )
        )
        if other is not None:
            raise CaseConflict(
                f"A newer case on the same target is open: {other}. Decide that one; this one stays as it is."
            )


def _end_lease(connection: Connection, row: Row[*tuple[Any, ...]], now: datetime) -> None:
    """One that ran out before ended then."""
    if row.lease_until is not None:
        connection.execute(
            update(lease_log)
            .where(lease_log.c.case_id == row.case_id, lease_log.c.lease_no == row.lease_no)
            .values(ended_at=min(now, row.lease_until))
        )


def _decision_row(
    row: Row[*tuple[Any, ...]], ruling: Ruling, found: QueueCase, now: datetime
) -> dict[str, Any]:
    return {
        "case_id": row.case_id,
        "decision_no": row.decision_no + 1,
        "moderator": ruling.moderator,
        "verdict": ruling.verdict.value,
        "reason": ruling.reason,
        "note": ruling.note,
        "decided_at": now,
        "lease_no": None if found.leased_by is None else row.lease_no,
        "is_counted": False,
        "is_due": CaseStatus(ruling.verdict.value).is_final,
    }


def _note(
    transaction: Transaction, change: Change, action: AuditAction, found: QueueCase, after: dict[str, Any]
) -> None:
    write_audit(
        transaction, change, action, f"case/{found.case_id}", before={"status": found.status}, after=after
    )
