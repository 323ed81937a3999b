"""Audit rows in words: who did what to a model, when, from what to what."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from flagrank.triage.audit import AuditAction, AuditEntry
from flagrank.triage.errors import shorten

MOST = 100  # rows of a page
_ACTIONS = {
    AuditAction.PUBLISH: "publication",
    AuditAction.PROMOTE: "promotion",
    AuditAction.ROLL_BACK: "rollback",
    AuditAction.GIVE_ROLE: "role",
    AuditAction.DELETE: "deletion",
}
_FINDING = "finding"
_NAMES = {"role": "", "replaced_by": "replaced by", "sha256": "SHA-256"}
_SHOWN_CHARS = 40


class ChangeLine(msgspec.Struct, frozen=True):
    """A row of the history."""

    at: datetime
    actor: str
    action: str
    before: str
    after: str
    reason: str
    finding: str


def describe_history(history: Sequence[AuditEntry]) -> list[ChangeLine]:
    """The newest `MOST` of them, newest first."""
    return [_describe(entry) for entry in reversed(history[-MOST:])]


def _describe(entry: AuditEntry) -> ChangeLine:
    return ChangeLine(
        at=entry.at,
        actor=entry.actor,
        action=_ACTIONS[entry.action],
        before=_describe_state(entry.before),
        after=_describe_state(entry.after),
        reason=entry.reason or "",
        finding=str((entry.after or {}).get(_FINDING, "")),
    )


def _describe_state(state: Mapping[str, Any] | None) -> str:
    told = [
        f"{_NAMES.get(name, name)} {shorten(value, _SHOWN_CHARS)}".lstrip()
        for name, value in (state or {}).items()
        if name != _FINDING and value is not None
    ]
    return ", ".join(told) or "nothing"
