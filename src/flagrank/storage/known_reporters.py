"""What the store knows of reporters: their records, and with whom they speak in one voice."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta

import msgspec
from sqlalchemy import Connection, func, select

from flagrank.storage.dialect import Among
from flagrank.storage.reporter_tables import outcome_count, reporter_group, reporter_tally
from flagrank.triage.case import CaseReport, Voice, round_for_sums
from flagrank.triage.policy import FALLBACK_REASON, ReporterRules
from flagrank.triage.reporter_record import Tally, age_tally, compute_record, shrink_share

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
_SELECT_TALLIES = select(reporter_tally).where(Among(reporter_tally.c.reporter_id, "reporters"))
_SELECT_GROUPS = select(reporter_group.c.reporter_id, reporter_group.c.name).where(
    Among(reporter_group.c.reporter_id, "reporters")
)


class KnownReporters:
    """Some reporters, as of now."""

    def __init__(
        self,
        records: Mapping[tuple[str, str], float],
        groups: Mapping[str, str],
    ) -> None:
        self._records = records
        self.groups = groups

    def give_voice(self, counted: CaseReport) -> CaseReport:
        """The report with its reporter's record, in the name of their group where they have one."""
        if counted.reporter is None:
            return counted
        record = self._records.get((counted.reporter, counted.reason or FALLBACK_REASON), 0.0)
        voice = Voice(counted.voice.log_odds, counted.voice.weight, record)
        reporter = self.groups.get(counted.reporter, counted.reporter)
        return msgspec.structs.replace(counted, voice=voice, reporter=reporter)


def read_reporters(
    connection: Connection,
    reporters: Collection[str],
    now: datetime,
    shares: Mapping[str, float],
    rules: ReporterRules,
) -> KnownReporters:
    """What is known of these; `shares` by reason, as `read_shares` gives them."""
    if not reporters:
        return KnownReporters({}, {})
    named = {"reporters": list(reporters)}
    records = {}
    for row in connection.execute(_SELECT_TALLIES, named):
        tally = age_tally(Tally(row.decided, row.actioned), now - row.counted_at, rules)
        share = shares.get(row.reason, rules.prior_share)
        records[row.reporter_id, row.reason] = round_for_sums(compute_record(tally, share, rules))
    groups = {row.reporter_id: row.name for row in connection.execute(_SELECT_GROUPS, named)}
    return KnownReporters(records, groups)


def read_shares(connection: Connection, now: datetime, rules: ReporterRules) -> dict[str, float]:
    """By reason, the share actioned of all cases decided in the window."""
    since = count_days(now - timedelta(days=rules.window_days))
    rows = connection.execute(
        select(
            outcome_count.c.reason,
            func.sum(outcome_count.c.decided).label("decided"),
            func.sum(outcome_count.c.actioned).label("actioned"),
        )
        .where(outcome_count.c.day >= since)
        .group_by(outcome_count.c.reason)
    )
    return {row.reason: shrink_share(int(row.actioned), int(row.decided), rules) for row in rows}


def count_days(at: datetime) -> int:
    """Days since 1970, in UTC."""
    return (at - _EPOCH) // _DAY
