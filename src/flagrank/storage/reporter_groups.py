"""Finds reporters in step on the most urgent cases, and has them speak with one voice."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, delete, select

from flagrank.storage.case_tables import IS_OPEN, MOST_URGENT_FIRST, report, review_case
from flagrank.storage.dialect import Among, insert_rows, lock_until_commit
from flagrank.storage.engine import Database
from flagrank.storage.outcomes import mark_stale
from flagrank.storage.reporter_tables import reporter_group
from flagrank.triage.in_step import find_groups
from flagrank.triage.policy import ReporterRules

MOST_REPORTS = 200_000  # looked at in one go, a second's work

_LOCK = 0x666C6167_0003
_URGENT = (
    select(review_case.c.case_id)
    .where(IS_OPEN, review_case.c.n_reporters > 1)
    .order_by(*MOST_URGENT_FIRST)
    .limit(bindparam("most"))
)
_SELECT_REPORTS = (
    select(report.c.reporter_id, report.c.case_id, report.c.made_at)
    .where(report.c.case_id.in_(_URGENT), report.c.reporter_id.is_not(None))
    .limit(MOST_REPORTS)
)


class StoredReporterGroups:
    """The port `ReporterGroups` on a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find_groups(self, rules: ReporterRules, n_cases: int) -> int:
        """See the port."""
        with self._database.read() as connection:
            rows = connection.execute(_SELECT_REPORTS, {"most": n_cases})
            reports = [(str(row.reporter_id), row.case_id, row.made_at) for row in rows]
        found = find_groups(reports, rules)
        with self._database.write() as (connection, now):
            lock_until_commit(connection, _LOCK)
            changed = _write_groups(connection, found, now, now - timedelta(days=rules.window_days))
            if changed:
                mark_stale(connection, changed)
        return len(changed)


def _write_groups(connection: Connection, found: dict[str, str], now: datetime, since: datetime) -> set[str]:
    """Who has joined a group or left one: those found in none stay in theirs until the window is over."""
    known = {row.reporter_id: row for row in connection.execute(select(reporter_group))}
    gone = {name for name, row in known.items() if name not in found and row.found_at < since}
    changed = {name for name, group in found.items() if name not in known or known[name].name != group}
    rewritten = [*gone, *found]
    if rewritten:
        outdated = delete(reporter_group).where(Among(reporter_group.c.reporter_id, "reporters"))
        connection.execute(outdated, {"reporters": rewritten})
    if found:
        rows = [{"reporter_id": name, "name": group, "found_at": now} for name, group in found.items()]
        insert_rows(connection, reporter_group, rows)
    return gone | changed
