"""All sides of one store of tasks, and short words for what tests do with them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from flagrank.settings import load_default_policy
from flagrank.storage.engine import Database
from flagrank.storage.task_changes import StoredTaskChanges
from flagrank.storage.task_claims import StoredTaskClaims
from flagrank.storage.task_intake import StoredTaskIntake
from flagrank.storage.task_reading import StoredTaskReading
from flagrank.storage.task_retention import StoredTaskRetention
from flagrank.triage.identifiers import IdentifierSource
from flagrank.triage.ports import ModelIdentity
from flagrank.triage.task import (
    ClaimedTask,
    ClaimLimit,
    Completion,
    Failure,
    Idempotency,
    Receipt,
    Submission,
    Task,
    TaskError,
    TaskPriority,
    TaskStatus,
)

MODEL = ModelIdentity("report-priority", "3")
ERROR = TaskError("scoring_failed", "Scoring failed", "The model refused report 0. Look at it.")
FAR = datetime(2199, 1, 1, tzinfo=UTC)
ANY = ClaimLimit(tasks=1_000, reports=1_000_000)
HOUR = 3_600.0

identifiers = IdentifierSource()


class TaskStore:
    """The ports of tasks on one database; each claim looks everywhere."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.intake = StoredTaskIntake(database)
        self.reading = StoredTaskReading(database)
        self.changes = StoredTaskChanges(database)
        self.claims = StoredTaskClaims(database, load_default_policy, full_scan_seconds=0)
        self.retention = StoredTaskRetention(database)

    def submit(
        self, count: int = 1, *, n_reports: int = 1, priority: TaskPriority = TaskPriority.NORMAL
    ) -> list[str]:
        """Submit due tasks; their ids."""
        return self.accept([submission(n_reports=n_reports, priority=priority) for _ in range(count)])

    def accept(self, submissions: Sequence[Submission]) -> list[str]:
        receipts = self.intake.submit(submissions)
        assert all(isinstance(receipt, Receipt) and receipt.is_new for receipt in receipts)
        return [one.task_id for one in submissions]

    def read(self, task_id: str) -> Task:
        detail = self.reading.read_task(task_id)
        assert detail is not None
        return detail.task

    def status(self, task_id: str) -> TaskStatus:
        return self.read(task_id).status

    def claim(self, limit: ClaimLimit = ANY, lease_seconds: float = HOUR) -> list[ClaimedTask]:
        return self.claims.claim(limit, lease_seconds)

    def lose(self, limit: ClaimLimit = ANY) -> list[str]:
        """Claim as a worker does that dies at once; the ids claimed."""
        return ids(self.claim(limit, lease_seconds=0))

    def finish(self, claimed: Sequence[ClaimedTask]) -> set[str]:
        return self.claims.complete([completion(one) for one in claimed])

    def fail(self, claimed: Sequence[ClaimedTask], retry_seconds: float | None = None) -> set[str]:
        return self.claims.fail([Failure(one.lease, ERROR, retry_seconds) for one in claimed])

    def counts(self) -> dict[str, int]:
        """Those that are not 0."""
        return {str(status): n for status, n in self.reading.count_tasks().by_status.items() if n}


def submission(
    *,
    n_reports: int = 1,
    priority: TaskPriority = TaskPriority.NORMAL,
    run_at: datetime | None = None,
    key: Idempotency | None = None,
) -> Submission:
    reports = [{"report_id": f"r{number}", "abuse_type": "MSG"} for number in range(n_reports)]
    return Submission(
        task_id=identifiers.make()[0],
        reports=msgspec.json.encode(reports),
        n_reports=n_reports,
        priority=priority,
        run_at=run_at,
        idempotency=key,
    )


def key(name: str = "k1", owner: str = "", fingerprint: bytes = b"body") -> Idempotency:
    return Idempotency(owner, name, fingerprint)


def completion(claimed: ClaimedTask) -> Completion:
    scores = [(number + 1) / 7 / claimed.n_reports for number in range(claimed.n_reports)]
    return Completion(claimed.lease, MODEL, scores, [3 * score for score in scores])


def ids(claimed: Sequence[ClaimedTask]) -> list[str]:
    return [one.lease.task_id for one in claimed]


def ago(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)
