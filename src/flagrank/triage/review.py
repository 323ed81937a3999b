"""The review queue: cases as moderators meet them, leases, decisions, and what they are asked with."""

import struct
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from math import isfinite
from typing import Any

import msgspec

from flagrank.triage.case import CaseReport, Evidence
from flagrank.triage.cursor import pack_cursor, refuse_cursor, unpack_cursor
from flagrank.triage.errors import CaseConflict, CaseNotFound
from flagrank.triage.identifiers import pack_identifier, unpack_identifier
from flagrank.triage.ports import ModelIdentity

MAX_QUEUE_PAGE = 1_000
DEFAULT_QUEUE_PAGE = 100
MAX_LEASE_CASES = 100  # in one request
MAX_LEASE_SECONDS = 86_400
MAX_NAME_CHARS = 128  # of a moderator
MAX_NOTE_CHARS = 5_000
MAX_SHOWN_REPORTS = 100  # of a case

_CURSOR = struct.Struct(">d16s")  # priority, case id


class CaseStatus(StrEnum):
    """Where a case stands; the last two are final, until it is reopened."""

    OPEN = "open"
    ESCALATED = "escalated"
    ACTIONED = "actioned"
    DISMISSED = "dismissed"

    @property
    def is_final(self) -> bool:
        """Whether it has been decided."""
        return self in {CaseStatus.ACTIONED, CaseStatus.DISMISSED}


class Verdict(StrEnum):
    """What a moderator decides: the status that the case takes."""

    ACTIONED = "actioned"
    DISMISSED = "dismissed"
    ESCALATED = "escalated"


class LeaseDraw(StrEnum):
    """Why a case was given to a moderator: the highest priority, the soonest deadline, the blind slice."""

    PRIORITY = "priority"
    DEADLINE = "deadline"
    BLIND = "blind"


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """A scored report on its way into a case; the record of its reporter is the store's to add.

    `fields` is the report as sent, as JSON, without content_text, which is kept for less long.
    """

    report_id: str
    counted: CaseReport
    score: float
    model: ModelIdentity
    reported_id: str | None
    content_id: str | None
    fields: bytes
    content_text: str | None


class QueueCase(msgspec.Struct, frozen=True, kw_only=True):
    """A case as lists show it; all times are in UTC, by the database's clock.

    `leased_by` is the moderator who holds it now, until `lease_expires_at`.
    """

    case_id: str
    status: CaseStatus
    priority: float
    score: float
    severity: float
    exposure: float
    reason: str | None
    abuse_type: str | None
    reported_id: str | None
    content_id: str | None
    n_reports: int
    n_reporters: int
    first_reported_at: datetime
    deadline_at: datetime
    policy_version: int
    leased_by: str | None
    lease_expires_at: datetime | None
    decided_at: datetime | None


class QueueCursor(msgspec.Struct, frozen=True):
    """The last case of a page; the next page starts behind it."""

    priority: float
    case_id: str


class QueueQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which cases to list; `status` is open or escalated, the others None for all."""

    status: CaseStatus = CaseStatus.OPEN
    abuse_type: str | None = None
    reason: str | None = None
    leased_by: str | None = None
    limit: int = DEFAULT_QUEUE_PAGE
    cursor: QueueCursor | None = None


class QueuePage(msgspec.Struct, frozen=True):
    """Cases, highest priority first, and where the next page starts; None at the end."""

    cases: tuple[QueueCase, ...]
    next: QueueCursor | None


class StoredReport(msgspec.Struct, frozen=True, kw_only=True):
    """A report of a case; `fields` are those sent, without content_text.

    An answered one came after the decision and was made before it: nobody has to look at it any more.
    """

    report_id: str
    reporter_id: str | None
    received_at: datetime
    made_at: datetime
    reason: str | None
    exposure: float | None
    score: float
    record: float
    model: ModelIdentity
    is_answered: bool
    fields: Mapping[str, Any]
    content_text: str | None


class PastDecision(msgspec.Struct, frozen=True, kw_only=True):
    """A decision on a case, and its reversal where there was one."""

    decision_no: int
    moderator: str
    verdict: Verdict
    reason: str | None
    note: str | None
    decided_at: datetime
    reversed_at: datetime | None
    reversed_by: str | None
    reversal_reason: str | None


class PastLease(msgspec.Struct, frozen=True, kw_only=True):
    """A lease of a case; `draw` is None while the case is open: who reviews must not see how it was drawn."""

    lease_no: int
    moderator: str
    draw: LeaseDraw | None
    leased_at: datetime
    until: datetime
    ended_at: datetime | None


class CaseDetail(msgspec.Struct, frozen=True, kw_only=True):
    """A case with its reports, the strongest first (at most 100 of them), and what was done with it."""

    case: QueueCase
    evidence: Evidence
    reports: tuple[StoredReport, ...]
    decisions: tuple[PastDecision, ...]
    leases: tuple[PastLease, ...]


class LeaseRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A moderator who asks for work: at most so many cases, for so long."""

    moderator: str
    limit: int
    lease_seconds: int


class LeaseLimits(msgspec.Struct, frozen=True):
    """How many leases may stand at once."""

    of_one: int = 1_000
    of_all: int = 10_000


class Ruling(msgspec.Struct, frozen=True, kw_only=True):
    """A moderator's decision on a case, in their own words why; `actor` is the key that sent it."""

    moderator: str
    actor: str
    verdict: Verdict
    reason: str | None = None
    note: str | None = None


class Reversal(msgspec.Struct, frozen=True, kw_only=True):
    """A moderator's wish to have a decision undone, and why."""

    moderator: str
    actor: str
    reason: str


def make_unknown_case() -> CaseNotFound:
    """What a program is told that asks for a case that never was."""
    return CaseNotFound("No case has this id. `GET /queue` lists those that are open.")


def check_ruling(case: QueueCase, ruling: Ruling) -> bool:
    """Whether a decision changes the case; not where the same one stands already.

    Raises `CaseConflict` where another moderator holds it, or another final decision stands.
    """
    if case.status.value == ruling.verdict.value:
        return False
    if case.status.is_final:
        raise CaseConflict(f"The case is {case.status} already. Reopen it before you decide it otherwise.")
    if case.leased_by not in {None, ruling.moderator}:
        raise CaseConflict(
            f"{case.leased_by} holds the case. Leave it to them, or decide it when their lease is over."
        )
    return True


def encode_queue_cursor(cursor: QueueCursor) -> str:
    """An opaque word of A-Z a-z 0-9 - _ that `decode_queue_cursor` reads."""
    return pack_cursor(_CURSOR, cursor.priority, pack_identifier(cursor.case_id))


def decode_queue_cursor(text: str) -> QueueCursor:
    """The cursor that was encoded; raises `InvalidCursor` where the text is none of ours."""
    priority, packed = unpack_cursor(_CURSOR, text)
    if not isfinite(priority):
        raise refuse_cursor()
    return QueueCursor(priority, unpack_identifier(packed))
