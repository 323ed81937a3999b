"""All sides of one store of cases, and short words for what tests do with them."""

import random
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count

import msgspec
from sqlalchemy import update

from flagrank.settings import load_default_policy
from flagrank.storage.case_intake import CaseIntake, CaseMoved
from flagrank.storage.case_reading import StoredQueueReading
from flagrank.storage.case_tables import lease_log, review_case
from flagrank.storage.decisions import StoredDeciding
from flagrank.storage.engine import Database
from flagrank.storage.leases import StoredLeasing
from flagrank.triage.case import CaseReport, make_voice
from flagrank.triage.policy import DrawShares, Policy
from flagrank.triage.ports import ModelIdentity
from flagrank.triage.review import (
    Arrival,
    CaseDetail,
    LeaseLimits,
    LeaseRequest,
    QueueCase,
    QueueQuery,
    Reversal,
    Ruling,
    Verdict,
)

MODEL = ModelIdentity("report-priority", "3")
BASE_RATE = 0.3
# By priority alone, so that a test knows what is drawn.
POLICY = msgspec.structs.replace(load_default_policy(), draws=DrawShares(0.0, 0.0))

_numbers = count(1)


def arrival(
    target: str | None = None,
    score: float = 0.5,
    reporter: str | None = None,
    *,
    report_id: str | None = None,
    content_id: str | None = None,
    received_at: datetime | None = None,
    made_at: datetime | None = None,
    reason: str | None = None,
    abuse_type: str | None = "MSG",
    exposure: float | None = 0.0,
    content_text: str | None = None,
) -> Arrival:
    """A report on `target`, received now and made then or at `made_at`."""
    received_at = received_at or datetime.now(UTC)
    return Arrival(
        report_id=report_id or f"r{next(_numbers)}",
        counted=CaseReport(
            voice=make_voice(score, BASE_RATE),
            received_at=received_at,
            made_at=made_at or received_at,
            reporter=reporter,
            reason=reason,
            abuse_type=abuse_type,
            exposure=exposure,
        ),
        score=score,
        model=MODEL,
        reported_id=target,
        content_id=content_id,
        fields=msgspec.json.encode({"report_text_len": 12}),
        content_text=content_text,
    )


class CaseStore:
    """The ports of cases on one database, under one policy."""

    def __init__(
        self, database: Database, policy: Policy = POLICY, limits: LeaseLimits | None = None
    ) -> None:
        self.database = database
        self.policy = policy
        chance = random.Random(7)  # noqa: S311 - the same draws each time
        self.intake = CaseIntake(chance)
        self.reading = StoredQueueReading(database)
        self.leasing = StoredLeasing(database, limits, chance)
        self.deciding = StoredDeciding(database)

    def take_in(self, arrivals: Iterable[Arrival]) -> None:
        """Take reports in, again where a case came or went meanwhile."""
        together = list(arrivals)
        while True:
            try:
                with self.database.write() as transaction:
                    self.intake.take_in(transaction, together, self.policy)
            except CaseMoved:
                continue
            return

    def open(self, n_cases: int) -> list[QueueCase]:
        """So many cases, each of its own target; the most urgent first."""
        self.take_in(arrival(f"t{number}", (number + 1) / (n_cases + 2)) for number in range(n_cases))
        return self.list()

    def list(self, query: QueueQuery | None = None) -> list[QueueCase]:
        """The first page of the queue."""
        return list(self.reading.list_cases(query or QueueQuery(limit=1_000)).cases)

    def read(self, case_id: str) -> CaseDetail:
        """A case that there is."""
        detail = self.reading.read_case(case_id)
        assert detail is not None
        return detail

    def find(self, target: str) -> QueueCase:
        """The open case of a target."""
        (found,) = (case for case in self.list() if case.reported_id == target)
        return found

    def lease(self, moderator: str = "ann", limit: int = 10, lease_seconds: int = 600) -> Sequence[QueueCase]:
        """Cases for a moderator."""
        request = LeaseRequest(moderator=moderator, limit=limit, lease_seconds=lease_seconds)
        return self.leasing.lease(request, self.policy)

    def decide(
        self,
        case_id: str,
        moderator: str = "ann",
        verdict: Verdict = Verdict.ACTIONED,
        note: str | None = None,
    ) -> QueueCase:
        """A moderator's decision."""
        ruling = Ruling(moderator=moderator, actor="key:test", verdict=verdict, reason="seen", note=note)
        return self.deciding.decide(case_id, ruling, self.policy)

    def reopen(self, case_id: str, moderator: str = "ann") -> QueueCase:
        """Its reversal."""
        reversal = Reversal(moderator=moderator, actor="key:test", reason="appeal")
        return self.deciding.reopen(case_id, reversal, self.policy)

    def let_leases_run_out(self) -> None:
        """As if an hour had passed for all that are leased."""
        past = datetime.now(UTC) - timedelta(seconds=1)
        with self.database.write() as (connection, _):
            connection.execute(
                update(review_case).where(review_case.c.lease_until.is_not(None)).values(lease_until=past)
            )
            connection.execute(update(lease_log).where(lease_log.c.ended_at.is_(None)).values(until=past))


def ids(cases: Iterable[QueueCase]) -> list[str]:
    """Their ids."""
    return [case.case_id for case in cases]
