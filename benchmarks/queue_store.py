"""The review queue over the storage ports alone: intake, leases, decisions and pages, without HTTP."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count

import msgspec

from flagrank.settings import load_default_policy
from flagrank.storage.case_intake import CaseIntake
from flagrank.storage.case_reading import StoredQueueReading
from flagrank.storage.decisions import StoredDeciding
from flagrank.storage.engine import Database, open_database
from flagrank.storage.leases import StoredLeasing
from flagrank.triage.case import CaseReport, make_voice
from flagrank.triage.policy import Policy
from flagrank.triage.ports import ModelIdentity
from flagrank.triage.review import Arrival, LeaseRequest, QueueCase, QueueQuery, Ruling, Verdict

MODEL = ModelIdentity("benchmark", "1")
BASE_RATE = 0.3
REASONS = ("spam", "nudity", "harassment", "scam", "threat", None)
FIELDS = msgspec.json.encode(
    {"report_id": "0123456789", "abuse_type": "MSG", "report_text_len": 120, "profile_rating": 3.5}
)


@dataclass(slots=True)
class Queue:
    """The ports of the queue on one database."""

    database: Database
    policy: Policy
    intake: CaseIntake
    reading: StoredQueueReading
    leasing: StoredLeasing
    deciding: StoredDeciding
    _numbers: Iterator[int] = field(default_factory=lambda: count(random.getrandbits(40)))

    def make_arrival(
        self, target: str, chance: random.Random, age: timedelta = timedelta(0), reporter: str | None = None
    ) -> Arrival:
        """A report on a target, made and received that long ago."""
        score = chance.uniform(0.01, 0.99)
        at = datetime.now(UTC) - age
        number = next(self._numbers)
        scattered = number * 2_654_435_761 % 2**40  # in no order, as clients choose them
        return Arrival(
            report_id=f"{scattered:010x}-{number}",
            counted=CaseReport(
                voice=make_voice(score, BASE_RATE),
                received_at=at,
                made_at=at,
                reporter=reporter or f"u{chance.randrange(10**6)}",
                reason=chance.choice(REASONS),
                abuse_type="MSG",
                exposure=None,
            ),
            score=score,
            model=MODEL,
            reported_id=target,
            content_id=None,
            fields=FIELDS,
            content_text=None,
        )

    def take_in(self, arrivals: Sequence[Arrival]) -> None:
        """Take reports in, in one transaction."""
        with self.database.write() as transaction:
            self.intake.take_in(transaction, arrivals, self.policy)

    def lease(self, moderator: str, limit: int, lease_seconds: int) -> list[QueueCase]:
        """What `POST /queue/lease` does."""
        request = LeaseRequest(moderator=moderator, limit=limit, lease_seconds=lease_seconds)
        return self.leasing.lease(request, self.policy)

    def decide(self, case_id: str, moderator: str) -> None:
        """What `POST /case/<case_id>/decision` does."""
        ruling = Ruling(moderator=moderator, actor="benchmark", verdict=Verdict.DISMISSED, reason="seen")
        self.deciding.decide(case_id, ruling, self.policy)

    def list_page(self, limit: int) -> None:
        """What `GET /queue` does for the first page and the next one."""
        page = self.reading.list_cases(QueueQuery(limit=limit))
        self.reading.list_cases(QueueQuery(limit=limit, cursor=page.next))


@contextmanager
def opened_queue(url: str) -> Iterator[Queue]:
    """The ports on a database whose tables exist, under the default policy."""
    database = open_database(url)
    try:
        yield Queue(
            database,
            load_default_policy(),
            CaseIntake(),
            StoredQueueReading(database),
            StoredLeasing(database),
            StoredDeciding(database),
        )
    finally:
        database.close()
