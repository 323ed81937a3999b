"""Who changed what, when and why: the words of an audit row."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from flagrank.triage.api_key import ApiKey
from flagrank.triage.errors import ChangeRefused
from flagrank.triage.feature_schema import is_plain_text

MAX_REASON_CHARS = 500
NOBODY = "local"  # a request to a server for which no key was ever made: anyone on its machine


class AuditAction(StrEnum):
    """What was done; a promotion and a rollback leave a row for each model whose role they change."""

    PUBLISH = "model.publish"
    PROMOTE = "model.promote"
    ROLL_BACK = "model.rollback"
    GIVE_ROLE = "model.role"
    DELETE = "model.delete"
    ACTIVATE = "policy.activate"
    DECIDE = "case.decide"
    REOPEN = "case.reopen"


class Change(msgspec.Struct, frozen=True):
    """Who changes something, and in their own words why."""

    actor: str  # key:NAME over HTTP, user:NAME on the command line, else `NOBODY`
    reason: str | None = None


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A change that was made, by the database's clock: from what (`before`) to what (`after`)."""

    at: datetime
    actor: str
    action: AuditAction
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    reason: str | None


def name_key(key: ApiKey | None) -> str:
    """The actor that an API key is; without one `NOBODY`."""
    return NOBODY if key is None else f"key:{key.name}"


def name_user(name: str) -> str:
    """The actor that a user of the operating system is."""
    return f"user:{name}"


def make_change(actor: str, reason: str | None) -> Change:
    """A change for this reason. Raises `ChangeRefused` where the reason can't be stored."""
    if reason is not None and not is_plain_text(reason, MAX_REASON_CHARS):
        raise ChangeRefused(
            f"The reason is not 1 to {MAX_REASON_CHARS} characters without control characters. "
            "Say it shorter, in one line."
        )
    return Change(actor, reason)
