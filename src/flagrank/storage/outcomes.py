"""Counts decisions into their reporters' tallies, in the background: no decision waits for it."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, select, update

from flagrank.storage.case_rows import decode_evidence
from flagrank.storage.case_tables import (
    IS_DECIDED,
    IS_DUE,
    IS_UNDECIDED,
    CaseState,
    decision,
    report,
    review_case,
)
from flagrank.storage.dialect import Among, insert_into, insert_rows, lock_until_commit
from flagrank.storage.engine import Database
from flagrank.storage.known_reporters import count_days
from flagrank.storage.reporter_tables import outcome_count, reporter_tally, stale_case
from flagrank.triage.policy import FALLBACK_REASON, ReporterRules
from flagrank.triage.reporter_record import Outcome, weigh_outcomes
from flagrank.triage.review import Verdict

_LOCK = 0x666C6167_0002

_SELECT_DUE = (
    select(
        decision.c.case_id,
        decision.c.decision_no,
        decision.c.verdict,
        decision.c.decided_at,
        decision.c.reversed_at,
        decision.c.is_counted,
        review_case.c.evidence,
    )
    .join(review_case, review_case.c.case_id == decision.c.case_id)
    .where(IS_DUE)
    .order_by(decision.c.decided_at)
    .limit(bindparam("most"))
    .with_for_update(of=decision)
)
_SELECT_REPORTERS = (
    select(report.c.reporter_id)
    .where(Among(report.c.case_id, "cases"), report.c.reporter_id.is_not(None))
    .distinct()
)
_SELECT_LEAVING = (
    select(reporter_tally.c.reporter_id)
    .where(reporter_tally.c.oldest_at < bindparam("since"))
    .distinct()
    .limit(bindparam("most"))
)
_SELECT_OUTCOMES = (
    select(
        report.c.reporter_id,
        report.c.reason,
        report.c.case_id,
        review_case.c.status,
        review_case.c.decided_at,
    )
    .join(review_case, review_case.c.case_id == report.c.case_id)
    .where(
        Among(report.c.reporter_id, "reporters"), IS_DECIDED, review_case.c.decided_at >= bindparam("since")
    )
    .distinct()
)


class StoredOutcomes:
    """The port `Outcomes` on a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def count_outcomes(self, rules: ReporterRules, limit: int) -> int:
        """See the port."""
        with self._database.write() as (connection, now):
            lock_until_commit(connection, _LOCK)  # days are counted by one at a time
            rows = connection.execute(_SELECT_DUE, {"most": limit}).all()
            if rows:
                _count_days(connection, rows)
                for row in rows:
                    connection.execute(
                        update(decision)
                        .where(decision.c.case_id == row.case_id, decision.c.decision_no == row.decision_no)
                        .values(is_due=False, is_counted=row.reversed_at is None)
                    )
                cases = list({row.case_id for row in rows})
                found = connection.scalars(_SELECT_REPORTERS, {"cases": cases})
                _tally(connection, [name for name in found if name is not None], now, rules)
        return len(rows)

    def forget_outcomes(self, rules: ReporterRules, limit: int) -> int:
        """See the port."""
        with self._database.write() as (connection, now):
            lock_until_commit(connection, _LOCK)
            since = now - timedelta(days=rules.window_days)
            reporters = connection.scalars(_SELECT_LEAVING, {"since": since, "most": limit}).all()
            _tally(connection, reporters, now, rules)
        return len(reporters)


def _count_days(connection: Connection, rows: Sequence[Row[*tuple[Any, ...]]]) -> None:
    """Add what was decided to its day, and take away what was reversed since it was counted."""
    decided: Counter[tuple[int, str]] = Counter()
    actioned: Counter[tuple[int, str]] = Counter()
    for row in rows:
        change = (row.reversed_at is None) - row.is_counted
        for reason in {ground.reason or FALLBACK_REASON for ground in decode_evidence(row.evidence).grounds}:
            key = count_days(row.decided_at), reason
            decided[key] += change
            actioned[key] += change * (row.verdict == Verdict.ACTIONED)
    for (day, reason), n_decided in sorted(decided.items()):
        n_actioned = actioned[day, reason]
        connection.execute(
            insert_into(connection, outcome_count)
            .values(day=day, reason=reason, decided=n_decided, actioned=n_actioned)
            .on_conflict_do_update(
                index_elements=["day", "reason"],
                set_={
                    "decided": outcome_count.c.decided + n_decided,
                    "actioned": outcome_count.c.actioned + n_actioned,
                },
            )
        )


def _tally(connection: Connection, reporters: Collection[str], now: datetime, rules: ReporterRules) -> None:
    """Weigh the outcomes of these reporters anew, and have their open cases gathered again."""
    if not reporters:
        return
    named = {"reporters": list(reporters)}
    outcomes = _read_outcomes(connection, {**named, "since": now - timedelta(days=rules.window_days)})
    connection.execute(delete(reporter_tally).where(Among(reporter_tally.c.reporter_id, "reporters")), named)
    rows = []
    for (reporter, reason), seen in outcomes.items():
        tally = weigh_outcomes(seen, now, rules)
        rows.append(
            {
                "reporter_id": reporter,
                "reason": reason,
                "decided": tally.decided,
                "actioned": tally.actioned,
                "counted_at": now,
                "oldest_at": min(outcome.decided_at for outcome in seen),
            }
        )
    if rows:
        insert_rows(connection, reporter_tally, rows)
    mark_stale(connection, reporters)


def _read_outcomes(connection: Connection, where: Mapping[str, Any]) -> dict[tuple[str, str], list[Outcome]]:
    outcomes: dict[tuple[str, str], list[Outcome]] = defaultdict(list)
    for row in connection.execute(_SELECT_OUTCOMES, where):
        outcome = Outcome(row.decided_at, is_actioned=row.status == CaseState.ACTIONED)
        outcomes[row.reporter_id, row.reason or FALLBACK_REASON].append(outcome)
    return outcomes


def mark_stale(connection: Connection, reporters: Collection[str]) -> None:
    """Have the open cases of these reporters gathered again."""
    known = (
        select(report.c.case_id)
        .join(review_case, review_case.c.case_id == report.c.case_id)
        .where(Among(report.c.reporter_id, "reporters"), IS_UNDECIDED)
        .distinct()
        .order_by(report.c.case_id)
    )
    marked = insert_into(connection, stale_case).from_select(["case_id"], known)
    # Locked where it is marked already: who gathers it before this is committed would not see the news.
    kept = marked.on_conflict_do_update(index_elements=["case_id"], set_={"case_id": marked.excluded.case_id})
    connection.execute(kept, {"reporters": list(reporters)})
