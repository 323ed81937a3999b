"""The tables of the review queue: cases, their reports, leases and decisions."""

from datetime import datetime
from enum import IntEnum

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    TypedColumns,
    literal_column,
)
from sqlalchemy.sql.elements import ColumnElement

from flagrank.storage.dialect import Identifier, Moment
from flagrank.storage.tables import VACUUM, metadata


class CaseState(IntEnum):
    """What is stored of a case's status."""

    OPEN = 0
    ESCALATED = 1
    ACTIONED = 2
    DISMISSED = 3


class ReviewCaseColumns(TypedColumns):
    """One row a case. What a lease changes stands in no index, so that its update stays in its page."""

    case_id = Column(Identifier, primary_key=True)
    join_key: Column[str | None] = Column(Text)
    reported_id: Column[str | None] = Column(Text)
    content_id: Column[str | None] = Column(Text)
    status = Column(SmallInteger, nullable=False)
    abuse_type: Column[str | None] = Column(Text)
    reason: Column[str | None] = Column(Text)
    severity = Column(Double, nullable=False)
    exposure = Column(Double, nullable=False)
    score = Column(Double, nullable=False)
    priority = Column(Double, nullable=False)
    evidence = Column(LargeBinary, nullable=False)  # msgpack of an Evidence
    n_reports = Column(Integer, nullable=False)
    n_reporters = Column(Integer, nullable=False)
    first_reported_at: Column[datetime] = Column(Moment, nullable=False)
    deadline_at: Column[datetime] = Column(Moment, nullable=False)
    policy_version = Column(Integer, nullable=False)  # that ranked it
    blind = Column(Boolean, nullable=False)
    blind_q: Column[float] = Column(Double, nullable=False)  # with which probability it could become blind
    lease_until: Column[datetime | None] = Column(Moment)
    leased_by: Column[str | None] = Column(Text)
    lease_no = Column(BigInteger, nullable=False)  # of the latest lease
    decision_no = Column(Integer, nullable=False)  # of the latest decision
    decided_at: Column[datetime | None] = Column(Moment)  # by the decision that stands


review_case = Table("review_case", metadata, ReviewCaseColumns, postgresql_with={**VACUUM, "fillfactor": 85})


def has_state(state: CaseState) -> ColumnElement[bool]:
    """Whether a case is in this state: a literal, since a bound value would not match a partial index."""
    return review_case.c.status == literal_column(str(int(state)))


IS_OPEN = has_state(CaseState.OPEN)
IS_UNDECIDED = review_case.c.status <= literal_column(str(int(CaseState.ESCALATED)))
IS_DECIDED = review_case.c.status >= literal_column(str(int(CaseState.ACTIONED)))

MOST_URGENT_FIRST = (review_case.c.priority.desc(), review_case.c.case_id.desc())

ONE_CASE_A_TARGET = Index(
    "review_case_target",
    review_case.c.join_key,
    unique=True,
    postgresql_where=IS_UNDECIDED,
    sqlite_where=IS_UNDECIDED,
)
IS_BLIND = review_case.c.blind.is_(literal_column("true"))
_CASE_INDEXES = (
    Index(
        "review_case_decided",
        *(review_case.c.join_key, review_case.c.decided_at),
        postgresql_where=IS_DECIDED,
        sqlite_where=IS_DECIDED,
    ),
    Index(
        "review_case_priority",
        *(review_case.c.priority, review_case.c.case_id),
        postgresql_where=IS_OPEN,
        sqlite_where=IS_OPEN,
    ),
    Index(
        "review_case_escalated",
        *(review_case.c.priority, review_case.c.case_id),
        postgresql_where=has_state(CaseState.ESCALATED),
        sqlite_where=has_state(CaseState.ESCALATED),
    ),
    Index(
        "review_case_deadline",
        *(review_case.c.deadline_at, review_case.c.case_id),
        # So that statistics read nothing else; SQLite looks up the status, too, which is the same in all.
        *(review_case.c.severity, review_case.c.status),
        postgresql_where=IS_OPEN,
        sqlite_where=IS_OPEN,
    ),
    Index(
        "review_case_blind",
        review_case.c.case_id,
        postgresql_where=IS_OPEN & IS_BLIND,
        sqlite_where=IS_OPEN & IS_BLIND,
    ),
    Index(
        "review_case_slice",
        review_case.c.case_id,
        postgresql_where=IS_DECIDED & IS_BLIND,
        sqlite_where=IS_DECIDED & IS_BLIND,
    ),
)


class ReportColumns(TypedColumns):
    """One row a report in a case."""

    report_id = Column(Text, primary_key=True)
    case_id = Column(Identifier, nullable=False)
    reporter_id: Column[str | None] = Column(Text)
    received_at: Column[datetime] = Column(Moment, nullable=False)
    made_at: Column[datetime] = Column(Moment, nullable=False)
    reason: Column[str | None] = Column(Text)
    abuse_type: Column[str | None] = Column(Text)
    exposure: Column[float | None] = Column(Double)
    score = Column(Double, nullable=False)
    log_odds = Column(Double, nullable=False)
    weight = Column(Double, nullable=False)
    record = Column(Double, nullable=False)
    model_name = Column(Text, nullable=False)
    model_version = Column(Text, nullable=False)
    is_answered = Column(Boolean, nullable=False)
    fields = Column(LargeBinary, nullable=False)  # JSON
    content_text: Column[str | None] = Column(Text)


report = Table("report", metadata, ReportColumns, postgresql_with=VACUUM)
_IS_NAMED = report.c.reporter_id.is_not(None)
_REPORT_INDEXES = (
    Index("report_case", report.c.case_id, report.c.reporter_id),
    Index(
        "report_reporter",
        *(report.c.reporter_id, report.c.received_at),
        postgresql_where=_IS_NAMED,
        sqlite_where=_IS_NAMED,
    ),
)


class LeaseLogColumns(TypedColumns):
    """One row a lease; one that was never ended is over at its `until`."""

    case_id = Column(Identifier, primary_key=True)
    lease_no = Column(BigInteger, primary_key=True)
    moderator = Column(Text, nullable=False)
    draw = Column(Text, nullable=False)
    propensity: Column[float] = Column(Double, nullable=False)  # blind_q of the case
    severity = Column(Double, nullable=False)  # as it was given out
    priority = Column(Double, nullable=False)  # the same
    leased_at: Column[datetime] = Column(Moment, nullable=False)
    until: Column[datetime] = Column(Moment, nullable=False)
    ended_at: Column[datetime | None] = Column(Moment)
    was_released = Column(Boolean, nullable=False)


lease_log = Table("lease_log", metadata, LeaseLogColumns, postgresql_with={**VACUUM, "fillfactor": 85})
NOT_ENDED = lease_log.c.ended_at.is_(None)
IS_BY_PRIORITY = lease_log.c.draw == literal_column("'priority'")
_LEASE_INDEXES = (
    Index(
        "lease_log_floor",
        *(lease_log.c.leased_at, lease_log.c.priority),
        postgresql_where=IS_BY_PRIORITY,
        sqlite_where=IS_BY_PRIORITY,
    ),
    Index("lease_log_standing", lease_log.c.until, postgresql_where=NOT_ENDED, sqlite_where=NOT_ENDED),
    Index("lease_log_moderator", lease_log.c.moderator, lease_log.c.until),
)


class DecisionColumns(TypedColumns):
    """One row a decision, and its reversal on it."""

    case_id = Column(Identifier, primary_key=True)
    decision_no = Column(Integer, primary_key=True)
    moderator = Column(Text, nullable=False)
    verdict = Column(Text, nullable=False)
    reason: Column[str | None] = Column(Text)
    note: Column[str | None] = Column(Text)
    decided_at: Column[datetime] = Column(Moment, nullable=False)
    lease_no: Column[int | None] = Column(BigInteger)  # under which it was made; None: under none
    reversed_at: Column[datetime | None] = Column(Moment)
    reversed_by: Column[str | None] = Column(Text)
    reversal_reason: Column[str | None] = Column(Text)
    is_counted = Column(Boolean, nullable=False)  # in its reporters' tallies
    is_due = Column(Boolean, nullable=False)  # to be counted, or to be taken out


decision = Table("decision", metadata, DecisionColumns, postgresql_with=VACUUM)
IS_DUE = decision.c.is_due.is_(literal_column("true"))
_DECISION_INDEXES = (
    Index("decision_time", decision.c.decided_at),
    Index("decision_due", decision.c.decided_at, postgresql_where=IS_DUE, sqlite_where=IS_DUE),
)
