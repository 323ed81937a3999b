"""Reads what the lead asks of the queue; each statement reads one index, or so many rows at most."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, case, func, null, or_, select

from flagrank.storage.case_tables import (
    IS_BLIND,
    IS_BY_PRIORITY,
    IS_DECIDED,
    IS_OPEN,
    CaseState,
    decision,
    has_state,
    lease_log,
    review_case,
)
from flagrank.storage.dialect import QuarterHour, read_clock
from flagrank.storage.engine import Database
from flagrank.triage.estimates import Floor, SliceCase
from flagrank.triage.identifiers import first_identifier, read_time
from flagrank.triage.outlook import DueCases
from flagrank.triage.policy import FALLBACK_REASON
from flagrank.triage.review import Verdict
from flagrank.triage.review_statistics import (
    AGE_BANDS,
    AGREEMENT_DAYS,
    FLOW_DAYS,
    MOST_AGREEMENT_DECISIONS,
    MOST_ESCALATED,
    MOST_SLICE_CASES,
    SLICE_DAYS,
    Backlog,
    BacklogCell,
    HourFlow,
    RulingCount,
    Rulings,
    SliceReading,
)

_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
_QUARTER = timedelta(minutes=15)
# What began before this may still be committed into an hour that is over.
_SETTLED = timedelta(minutes=10)


def _moment(name: str) -> Any:  # noqa: ANN401 - a parameter
    return bindparam(name, type_=decision.c.decided_at.type)


def _identifier(name: str) -> Any:  # noqa: ANN401 - the same
    return bindparam(name, type_=review_case.c.case_id.type)


_BAND = case(
    *((review_case.c.case_id >= _identifier(f"band_{band}"), band) for band in range(len(AGE_BANDS))),
    else_=len(AGE_BANDS),
)
_QUARTER_DUE = case(
    (review_case.c.deadline_at <= _moment("now"), null()), else_=QuarterHour(review_case.c.deadline_at)
)
# In the order of names, so that a million rows are grouped by one scan of an index that holds all three.
_COUNT_OPEN = (
    select(_BAND.label("band"), review_case.c.severity, _QUARTER_DUE.label("due"), func.count().label("n"))
    .where(IS_OPEN)
    .group_by("band", review_case.c.severity, "due")
)
_IS_ESCALATED = has_state(CaseState.ESCALATED)
_COUNT_ESCALATED = select(func.count()).select_from(
    select(review_case.c.case_id).where(_IS_ESCALATED).limit(MOST_ESCALATED).subquery()
)
_OLDEST_ESCALATED = (
    select(review_case.c.case_id).where(_IS_ESCALATED).order_by(review_case.c.case_id).limit(1)
)
_COUNT_DECIDED = select(func.count().label("n"), func.min(decision.c.decided_at).label("first")).where(
    decision.c.decided_at >= _moment("begin")
)
_COUNT_ARRIVED_IN = select(func.count()).where(
    review_case.c.case_id >= _identifier("first"), review_case.c.case_id < _identifier("behind")
)
_COUNT_DECIDED_IN = select(func.count()).where(
    decision.c.decided_at >= _moment("begin"), decision.c.decided_at < _moment("end")
)

_NEWEST = (
    select(decision)
    .where(decision.c.decided_at >= _moment("since"))
    .order_by(decision.c.decided_at.desc())
    .limit(MOST_AGREEMENT_DECISIONS)
    .subquery()
)
_IS_FINAL = _NEWEST.c.verdict != Verdict.ESCALATED.value
# Looked up one by one: joined, all cases that there are would be read.
_REASON = select(review_case.c.reason).where(review_case.c.case_id == _NEWEST.c.case_id).scalar_subquery()
_COUNT_RULINGS = (
    select(
        _NEWEST.c.moderator,
        func.coalesce(_REASON, FALLBACK_REASON).label("named_reason"),
        func.count().filter(_IS_FINAL).label("n_final"),
        func.count().filter(_IS_FINAL, _NEWEST.c.reversed_by == _NEWEST.c.moderator).label("n_undone"),
        func.count().filter(_IS_FINAL, _NEWEST.c.reversed_by != _NEWEST.c.moderator).label("n_overruled"),
        func.count().filter(~_IS_FINAL).label("n_escalated"),
        func.count().label("n"),
        func.min(_NEWEST.c.decided_at).label("first"),
    )
    .group_by(_NEWEST.c.moderator, "named_reason")
    .order_by(_NEWEST.c.moderator, "named_reason")
)

_OLDEST_UNDECIDED = (
    select(review_case.c.case_id).where(IS_OPEN, IS_BLIND).order_by(review_case.c.case_id).limit(1),
    _OLDEST_ESCALATED.where(IS_BLIND),
)
_SELECT_SLICE = (
    select(review_case.c.case_id, review_case.c.blind_q, review_case.c.priority, review_case.c.status)
    .where(
        IS_DECIDED,
        IS_BLIND,
        review_case.c.case_id >= _identifier("first"),
        review_case.c.case_id < _identifier("behind"),
    )
    .order_by(review_case.c.case_id.desc())
    .limit(MOST_SLICE_CASES)
)


def _select_floors() -> Select[*tuple[Any, ...]]:
    """The leases by priority that went lower than each one after them."""
    lowest_since = func.min(lease_log.c.priority).over(order_by=lease_log.c.leased_at.desc(), rows=(None, -1))
    leases = (
        select(lease_log.c.leased_at, lease_log.c.priority, lowest_since.label("lowest_since"))
        .where(
            IS_BY_PRIORITY, lease_log.c.leased_at >= _moment("begin"), lease_log.c.leased_at < _moment("end")
        )
        .subquery()
    )
    return (
        select(leases.c.leased_at, leases.c.priority)
        .where(or_(leases.c.lowest_since.is_(None), leases.c.priority < leases.c.lowest_since))
        .order_by(leases.c.leased_at, leases.c.priority)
    )


_SELECT_FLOORS = _select_floors()


class StoredReviewStatistics:
    """The port `ReviewStatistics` on a database. What hours that are over have counted, it keeps."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._hours: dict[datetime, HourFlow] = {}

    def read_backlog(self) -> Backlog:
        """See the port."""
        with self._database.read() as connection:
            now = read_clock(connection)
            bands = {f"band_{band}": first_identifier(now - age) for band, age in enumerate(AGE_BANDS)}
            rows = connection.execute(_COUNT_OPEN, {"now": now, **bands}).all()
            n_escalated = connection.scalar(_COUNT_ESCALATED) or 0
            oldest = connection.scalar(_OLDEST_ESCALATED)
            decided = connection.execute(_COUNT_DECIDED, {"begin": now - _DAY}).one()
        return Backlog(
            counted_at=now,
            cells=_sum_cells(rows),
            due=_sum_due(rows, now),
            n_escalated=n_escalated,
            oldest_escalated_at=None if oldest is None else read_time(oldest),
            n_decided=decided.n,
            first_decided_at=decided.first,
        )

    def read_flow(self) -> tuple[HourFlow, ...]:
        """See the port."""
        with self._database.read() as connection:
            now = read_clock(connection)
            last = now.replace(minute=0, second=0, microsecond=0)
            begins = [last - hours * _HOUR for hours in reversed(range(FLOW_DAYS * 24))]
            flow = tuple(self._hours.get(begin) or _count_hour(connection, begin) for begin in begins)
        self._hours = {hour.begins_at: hour for hour in flow if hour.begins_at + _HOUR + _SETTLED <= now}
        return flow

    def read_rulings(self) -> Rulings:
        """See the port."""
        with self._database.read() as connection:
            since = read_clock(connection) - timedelta(days=AGREEMENT_DAYS)
            rows = connection.execute(_COUNT_RULINGS, {"since": since}).all()
        if sum(row.n for row in rows) == MOST_AGREEMENT_DECISIONS:
            since = min(row.first for row in rows)
        return Rulings(
            since,
            tuple(
                RulingCount(
                    moderator=row.moderator,
                    reason=row.named_reason,
                    n_final=row.n_final,
                    n_undone=row.n_undone,
                    n_overruled=row.n_overruled,
                    n_escalated=row.n_escalated,
                )
                for row in rows
            ),
        )

    def read_slice(self) -> SliceReading:
        """See the port."""
        with self._database.read() as connection:
            waiting = [connection.scalar(statement) for statement in _OLDEST_UNDECIDED]
            oldest = min((case_id for case_id in waiting if case_id is not None), default=None)
            now = read_clock(connection)
            behind = first_identifier(now) if oldest is None else oldest
            end = read_time(behind)
            begin = end - timedelta(days=SLICE_DAYS)
            rows = connection.execute(
                _SELECT_SLICE, {"first": first_identifier(begin), "behind": behind}
            ).all()
            if len(rows) == MOST_SLICE_CASES:
                begin = read_time(rows[-1].case_id)
            reached = {"begin": begin, "end": end + timedelta(days=SLICE_DAYS)}
            floors = connection.execute(_SELECT_FLOORS, reached).all()
        return SliceReading(
            begin,
            end,
            tuple(_read_slice_case(row) for row in reversed(rows)),
            tuple(Floor(row.leased_at, row.priority) for row in floors),
        )


def _sum_cells(rows: Sequence[Row[*tuple[Any, ...]]]) -> tuple[BacklogCell, ...]:
    counts: dict[tuple[int, float], int] = {}
    for row in rows:
        counts[row.band, row.severity] = counts.get((row.band, row.severity), 0) + row.n
    return tuple(BacklogCell(band, severity, n) for (band, severity), n in sorted(counts.items()))


def _sum_due(rows: Sequence[Row[*tuple[Any, ...]]], now: datetime) -> tuple[DueCases, ...]:
    counts: dict[datetime, int] = {}
    for row in rows:
        due_at = now if row.due is None else row.due + _QUARTER
        counts[due_at] = counts.get(due_at, 0) + row.n
    return tuple(DueCases(due_at, n) for due_at, n in sorted(counts.items()))


def _count_hour(connection: Connection, begin: datetime) -> HourFlow:
    end = begin + _HOUR
    arrived = connection.scalar(
        _COUNT_ARRIVED_IN, {"first": first_identifier(begin), "behind": first_identifier(end)}
    )
    decided = connection.scalar(_COUNT_DECIDED_IN, {"begin": begin, "end": end})
    return HourFlow(begin, arrived or 0, decided or 0)


def _read_slice_case(row: Row[*tuple[Any, ...]]) -> SliceCase:
    return SliceCase(read_time(row.case_id), row.blind_q, row.priority, row.status == CaseState.ACTIONED)
