"""The queue of `serve --demo`: three SYNTHETIC days of reports, of which two moderators saw too few."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from itertools import cycle
from random import Random
from typing import Any

import msgspec

from flagrank.simulation.arrivals import END
from flagrank.simulation.reports import simulate
from flagrank.storage.case_intake import CaseIntake
from flagrank.storage.case_reading import StoredQueueReading
from flagrank.storage.decisions import StoredDeciding
from flagrank.storage.engine import Database
from flagrank.storage.leases import StoredLeasing
from flagrank.triage.arrivals import Scored, read_arrivals
from flagrank.triage.identifiers import IdentifierSource
from flagrank.triage.policy import Policy
from flagrank.triage.ports import BatchScorer
from flagrank.triage.report import CONTEXT_FIELDS
from flagrank.triage.review import Arrival, LeaseRequest, QueueCase, Ruling, Verdict
from flagrank.triage.stored_reports import StoredReportDecoder
from flagrank.triage.times import parse_time

N_REPORTS = 400
DAYS = 3.0
SHIFTS = 6
SEEN_A_SHIFT = 6  # of about fifty new cases
MODERATORS = ("demo-ann", "demo-bob")

_Report = Mapping[str, Any]
_NOT_SENT = ("actionable", "chance")


def seed_queue(database: Database, scorer: BatchScorer, policy: Policy) -> None:
    """Fill a database that has never had a case; any other one is left as it is."""
    if StoredQueueReading(database).has_cases():
        return
    with database.write() as transaction:
        now = transaction.now
    reports = list(_draw_reports(now))
    is_actionable = {report["reported_id"]: report["actionable"] for report in reports}
    arrivals = _score(reports, scorer)
    chance = Random(1)  # noqa: S311 - the same demo each time
    moderators = cycle(MODERATORS)
    for shift in range(SHIFTS):
        end = now - timedelta(days=DAYS) * (1 - (shift + 1) / SHIFTS)
        begin = now - timedelta(days=DAYS) * (1 - shift / SHIFTS)
        came = [one for one in arrivals if begin <= one.counted.received_at < end]
        past = database.seen_from(end - now)
        intake = CaseIntake(chance, IdentifierSource(partial(_count_milliseconds, end)))
        with past.write() as transaction:
            intake.take_in(transaction, came, policy)
        _review(past, next(moderators), is_actionable, policy, chance)


def _count_milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1_000)


def _draw_reports(now: datetime) -> Iterator[_Report]:
    """Synthetic reports whose last came a moment ago."""
    end = parse_time(f"{END}Z")
    for columns in simulate(N_REPORTS, 1, DAYS):
        for values in zip(*columns.values(), strict=True):
            report = dict(zip(columns, values, strict=True))
            at = now - (end - parse_time(report["reported_at"]))
            yield {**report, "reported_at": at.isoformat(), **_describe(report)}


def _describe(report: _Report) -> dict[str, str]:
    kind = "profile" if report["abuse_type"] == "PRF" else "message"
    said = f"A synthetic {kind}, reported as {report['reason'] or 'something else'}: nobody wrote it."
    return {"content_text": said, "content_url": f"https://application.example/{report['content_id']}"}


def _score(reports: Iterable[_Report], scorer: BatchScorer) -> list[Arrival]:
    sent = [{name: value for name, value in report.items() if _is_sent(name, value)} for report in reports]
    body = msgspec.json.encode(sent)
    scores = scorer.score(StoredReportDecoder(scorer.schema).decode(body))
    return [
        arrival
        for report, score in zip(sent, scores, strict=True)
        for arrival in read_arrivals(
            msgspec.json.encode([report]),
            parse_time(report["reported_at"]),
            [Scored(score, scorer.model, scorer.base_rate)],
        )
    ]


def _is_sent(name: str, value: object) -> bool:
    is_null = value is None and name in CONTEXT_FIELDS
    return not is_null and name not in _NOT_SENT and not name.startswith("truth_")


def _review(
    past: Database, moderator: str, is_actionable: Mapping[str, bool], policy: Policy, chance: Random
) -> None:
    """What one moderator gets done in a shift."""
    request = LeaseRequest(moderator=moderator, limit=SEEN_A_SHIFT, lease_seconds=3_600)
    deciding = StoredDeciding(past)
    for case in StoredLeasing(past, chance=chance).lease(request, policy):
        deciding.decide(case.case_id, _rule(case, moderator, is_actionable), policy)


def _rule(case: QueueCase, moderator: str, is_actionable: Mapping[str, bool]) -> Ruling:
    verdict = Verdict.ACTIONED if is_actionable[case.reported_id or ""] else Verdict.DISMISSED
    return Ruling(moderator=moderator, actor="demo", verdict=verdict)
