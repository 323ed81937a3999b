"""Audit rows: written in the transaction of the change that they tell of."""

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, select

from flagrank.storage.engine import Transaction
from flagrank.storage.tables import audit
from flagrank.triage.audit import AuditAction, AuditEntry, Change


def write_audit(
    transaction: Transaction,
    change: Change,
    action: AuditAction,
    subject: str,
    *,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
) -> None:
    """Note one change of one subject."""
    transaction.connection.execute(
        audit.insert(),
        {
            "at": transaction.now,
            "actor": change.actor,
            "action": action.value,
            "subject": subject,
            "before": None if before is None else msgspec.json.encode(before),
            "after": None if after is None else msgspec.json.encode(after),
            "reason": change.reason,
        },
    )


def read_audit(connection: Connection, subject: str) -> list[AuditEntry]:
    """All that was done to a subject, oldest first."""
    rows = connection.execute(select(audit).where(audit.c.subject == subject).order_by(audit.c.audit_id))
    return [_read_row(row) for row in rows]


def read_audit_of(connection: Connection, action: AuditAction, most: int) -> list[AuditEntry]:
    """The last rows of an action, newest first."""
    of_action = select(audit).where(audit.c.action == action.value)
    rows = connection.execute(of_action.order_by(audit.c.audit_id.desc()).limit(most))
    return [_read_row(row) for row in rows]


def find_last_subject(connection: Connection, action: AuditAction) -> str | None:
    """The subject of the newest row of an action."""
    return connection.scalar(
        select(audit.c.subject)
        .where(audit.c.action == action.value)
        .order_by(audit.c.audit_id.desc())
        .limit(1)
    )


def _read_row(row: Row[*tuple[Any, ...]]) -> AuditEntry:
    return AuditEntry(
        at=row.at,
        actor=row.actor,
        action=AuditAction(row.action),
        before=None if row.before is None else msgspec.json.decode(row.before),
        after=None if row.after is None else msgspec.json.decode(row.after),
        reason=row.reason,
    )
