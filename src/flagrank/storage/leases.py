"""Gives cases to moderators, each to one, by priority, by deadline and from the blind slice."""

import random
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any

from sqlalchemy import Connection, Row, bindparam, exists, func, literal_column, not_, or_, select, update
from sqlalchemy.sql.elements import ColumnElement

from flagrank.storage.case_rows import CASE_COLUMNS, read_case_row
from flagrank.storage.case_tables import IS_OPEN, MOST_URGENT_FIRST, NOT_ENDED, lease_log, report, review_case
from flagrank.storage.dialect import Among, insert_rows, update_rows
from flagrank.storage.engine import Database, Transaction
from flagrank.triage.draws import plan_draws
from flagrank.triage.errors import TooManyLeases
from flagrank.triage.identifiers import parse_identifier
from flagrank.triage.policy import Policy
from flagrank.triage.review import LeaseDraw, LeaseLimits, LeaseRequest, QueueCase

_IS_FREE = or_(review_case.c.lease_until.is_(None), review_case.c.lease_until <= bindparam("now"))
_IS_HELD = (review_case.c.leased_by == bindparam("holder")) & (review_case.c.lease_until > bindparam("now"))
_IS_FOREIGN = or_(
    review_case.c.reported_id.is_(None), not_(Among(review_case.c.reported_id, "persons"))
) & not_(exists().where(report.c.case_id == review_case.c.case_id, Among(report.c.reporter_id, "persons")))
_ORDERS: dict[LeaseDraw, tuple[ColumnElement[Any], ...]] = {
    LeaseDraw.PRIORITY: MOST_URGENT_FIRST,
    LeaseDraw.DEADLINE: (review_case.c.deadline_at, review_case.c.case_id),
    LeaseDraw.BLIND: (review_case.c.case_id,),
}
_LOCK_HELD = (
    select(review_case.c.case_id, review_case.c.lease_no)
    .where(Among(review_case.c.case_id, "cases"), IS_OPEN, _IS_HELD)
    # In the order of intake, so that no two transactions wait for each other.
    .order_by(review_case.c.join_key, review_case.c.case_id)
    .with_for_update()
)
_TAKE = (
    update(review_case)
    .where(Among(review_case.c.case_id, "cases"))
    .values(
        lease_no=review_case.c.lease_no + 1, leased_by=bindparam("holder"), lease_until=bindparam("until")
    )
    .returning(*CASE_COLUMNS, review_case.c.lease_no, review_case.c.blind_q)
)


class StoredLeasing:
    """The port `Leasing` on a database."""

    def __init__(
        self, database: Database, limits: LeaseLimits | None = None, chance: random.Random | None = None
    ) -> None:
        self._database = database
        self._limits = limits or LeaseLimits()
        self._chance = chance or random.SystemRandom()

    def lease(self, request: LeaseRequest, policy: Policy) -> list[QueueCase]:
        """See the port."""
        with self._database.write() as transaction:
            most = self._count_room(transaction, request)
            candidates = self._draw(transaction, request.moderator, most, policy)
            cases = _take(transaction, request, candidates) if candidates.drawn else []
        return sorted(cases, key=lambda case: (case.priority, case.case_id), reverse=True)

    def extend(self, moderator: str, case_ids: Collection[str], lease_seconds: int) -> list[str]:
        """See the port."""
        with self._database.write() as transaction:
            until = transaction.now + timedelta(seconds=lease_seconds)
            held = _lock_held(transaction, moderator, case_ids)
            if held:
                _change(transaction.connection, held, {"lease_until": until}, {"until": until})
        return list(held)

    def release(self, moderator: str, case_ids: Collection[str]) -> list[str]:
        """See the port."""
        with self._database.write() as transaction:
            held = _lock_held(transaction, moderator, case_ids)
            if held:
                given_back = {"lease_until": None, "leased_by": None}
                ended = {"ended_at": transaction.now, "was_released": True}
                _change(transaction.connection, held, given_back, ended)
        return list(held)

    def _count_room(self, transaction: Transaction, request: LeaseRequest) -> int:
        """How many of the cases asked for may be leased. Raises `TooManyLeases` where none may."""
        connection, now = transaction
        standing = [NOT_ENDED, lease_log.c.until > now]
        of_one = _count(
            connection, [lease_log.c.moderator == request.moderator, *standing], self._limits.of_one
        )
        of_all = _count(connection, standing, self._limits.of_all)
        room = min(self._limits.of_one - of_one, self._limits.of_all - of_all)
        if room <= 0:
            whose = (
                f"{request.moderator} holds {of_one:,} cases"
                if of_one >= self._limits.of_one
                else f"All moderators together hold {of_all:,} cases"
            )
            raise TooManyLeases(
                f"{whose}, as many as may be at once. Decide or release some, then ask again."
            )
        return min(room, request.limit)

    def _draw(self, transaction: Transaction, moderator: str, n_cases: int, policy: Policy) -> "_Candidates":
        """Lock free cases."""
        plan = plan_draws(n_cases, policy.draws, self._chance)
        candidates = _Candidates(transaction, moderator, policy)
        candidates.take(LeaseDraw.DEADLINE, plan.by_deadline)
        candidates.take(LeaseDraw.BLIND, plan.blind)
        candidates.take(LeaseDraw.PRIORITY, n_cases - len(candidates.drawn))
        candidates.take_back_released(n_cases - len(candidates.drawn))
        return candidates


class _Candidates:
    """What one transaction draws for one moderator: how each case was drawn, and whose lease ran out."""

    def __init__(self, transaction: Transaction, moderator: str, policy: Policy) -> None:
        self.drawn: dict[str, LeaseDraw] = {}
        self.lapsed: list[Row[*tuple[Any, ...]]] = []
        self._connection, self._now = transaction
        self._persons = list(policy.persons_of(moderator))
        self._rules = policy.leases
        self._put_aside = self._find_put_aside(moderator)
        self._severe_left = self._count_severe_left(moderator)

    def take(self, draw: LeaseDraw, most: int) -> None:
        """Draw so many more, where there are as many; none that the moderator has just put aside."""
        self._fill(draw, most, self._put_aside)

    def take_back_released(self, most: int) -> None:
        """What was put aside comes back while nothing else waits."""
        if self._put_aside:
            self._fill(LeaseDraw.PRIORITY, most, [])

    def _find_put_aside(self, moderator: str) -> list[str]:
        since = self._now - timedelta(minutes=self._rules.minutes_after_release)
        released = select(lease_log.c.case_id).where(
            lease_log.c.moderator == moderator,
            lease_log.c.until > since,  # who gives back does so before: the index bounds what is read
            lease_log.c.ended_at > since,
            lease_log.c.was_released,
        )
        return list(self._connection.scalars(released))

    def _count_severe_left(self, moderator: str) -> int | None:
        """How many severe cases may follow those that the moderator had last; None: any number."""
        most = self._rules.most_severe_in_a_row
        if most == 0:
            return None
        rested = self._now - timedelta(minutes=self._rules.minutes_of_rest)
        latest = self._connection.scalars(
            select(lease_log.c.severity)
            .where(
                lease_log.c.moderator == moderator,
                lease_log.c.until > rested,
                or_(lease_log.c.ended_at.is_(None), lease_log.c.ended_at > rested),
            )
            .order_by(lease_log.c.leased_at.desc(), lease_log.c.lease_no)
            .limit(most)
        )
        in_a_row = takewhile(lambda severity: severity >= self._rules.severe_from, latest)
        return most - sum(1 for _ in in_a_row)

    def _fill(self, draw: LeaseDraw, most: int, without: Sequence[str]) -> None:
        if self._severe_left is None:
            self._select(draw, most, without, [])
            return
        before = len(self.drawn)
        self._select(draw, min(most, self._severe_left), without, [])
        milder = review_case.c.severity < self._rules.severe_from
        self._select(draw, most - (len(self.drawn) - before), without, [milder])

    def _select(
        self, draw: LeaseDraw, most: int, without: Sequence[str], further: Sequence[ColumnElement[bool]]
    ) -> None:
        if most <= 0:
            return
        conditions = [IS_OPEN, _IS_FREE, _IS_FOREIGN, *further]
        if draw is LeaseDraw.BLIND:
            conditions.append(review_case.c.blind.is_(literal_column("true")))
        parameters: dict[str, Any] = {"now": self._now, "persons": self._persons}
        without = [*self.drawn, *without]
        if without:  # SKIP LOCKED does not skip what this transaction has locked
            conditions.append(not_(Among(review_case.c.case_id, "without")))
            parameters["without"] = without
        found = self._connection.execute(
            select(
                review_case.c.case_id,
                review_case.c.severity,
                review_case.c.lease_no,
                review_case.c.leased_by,
                review_case.c.lease_until,
            )
            .where(*conditions)
            .order_by(*_ORDERS[draw])
            .limit(most)
            .with_for_update(skip_locked=True, of=review_case),
            parameters,
        ).all()
        if self._severe_left is not None:
            self._severe_left -= sum(row.severity >= self._rules.severe_from for row in found)
        self.lapsed += [row for row in found if row.leased_by is not None]
        self.drawn.update(dict.fromkeys((row.case_id for row in found), draw))


def _take(transaction: Transaction, request: LeaseRequest, candidates: _Candidates) -> list[QueueCase]:
    connection, now = transaction
    cases = list(candidates.drawn)
    until = now + timedelta(seconds=request.lease_seconds)
    if candidates.lapsed:
        ended = [
            {"case_id": row.case_id, "lease_no": row.lease_no, "ended_at": row.lease_until}
            for row in candidates.lapsed
        ]
        update_rows(connection, lease_log, ended, {})
    rows = connection.execute(_TAKE, {"cases": cases, "holder": request.moderator, "until": until}).all()
    insert_rows(connection, lease_log, [_log_row(row, candidates.drawn[row.case_id], now) for row in rows])
    return [read_case_row(row, now) for row in rows]


def _log_row(row: Row[*tuple[Any, ...]], draw: LeaseDraw, now: datetime) -> dict[str, Any]:
    return {
        "case_id": row.case_id,
        "lease_no": row.lease_no,
        "moderator": row.leased_by,
        "draw": draw.value,
        "propensity": row.blind_q,
        "severity": row.severity,
        "priority": row.priority,
        "leased_at": now,
        "until": row.lease_until,
        "ended_at": None,
        "was_released": False,
    }


def _count(connection: Connection, conditions: Sequence[ColumnElement[bool]], most: int) -> int:
    found = select(lease_log.c.case_id).where(*conditions).limit(most).subquery()
    return connection.scalar(select(func.count()).select_from(found)) or 0


def _lock_held(transaction: Transaction, moderator: str, case_ids: Collection[str]) -> dict[str, int]:
    """The lease numbers of those cases that the moderator holds, in the order given; the rows are locked."""
    known = {case_id: parsed for case_id in case_ids if (parsed := parse_identifier(case_id))}
    if not known:
        return {}
    parameters = {"cases": list(set(known.values())), "holder": moderator, "now": transaction.now}
    rows = transaction.connection.execute(_LOCK_HELD, parameters)
    held = {row.case_id: row.lease_no for row in rows}
    return {parsed: held[parsed] for parsed in known.values() if parsed in held}


def _change(
    connection: Connection, held: Mapping[str, int], of_case: dict[str, Any], of_log: dict[str, Any]
) -> None:
    connection.execute(
        update(review_case).where(Among(review_case.c.case_id, "cases")).values(of_case),
        {"cases": list(held)},
    )
    leases = [{"case_id": case_id, "lease_no": lease_no} for case_id, lease_no in held.items()]
    update_rows(connection, lease_log, leases, of_log)
