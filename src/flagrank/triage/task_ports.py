"""What is asked of a store of tasks, one port for each side that asks.

Every method blocks until the database has answered, and may be called from any thread. Each is one
transaction: what it returns is on disk. `StoreUnavailable` is raised where the database does not answer, is
full or locked; nothing was changed then, except where the answer to the commit itself got lost.
"""

from collections.abc import Collection, Sequence
from typing import Protocol

from flagrank.triage.errors import FlagrankError
from flagrank.triage.task import (
    ClaimedTask,
    ClaimLimit,
    Completion,
    Failure,
    Lease,
    Receipt,
    Submission,
    TaskCounts,
    TaskDetail,
    TaskPage,
    TaskQuery,
)


class TaskIntake(Protocol):
    """The side of the client who submits."""

    def submit(self, submissions: Sequence[Submission]) -> list[Receipt | FlagrankError]:
        """Accept all of them in one commit; one answer for each, in the order given.

        The answer is `IdempotencyConflict` where the key stands for another body or query, `StoreRefused`
        where the database refuses this one; the others are accepted all the same.
        """
        ...


class TaskReading(Protocol):
    """The side of the client who looks."""

    def read_task(self, task_id: str) -> TaskDetail | None:
        """The task with its results; None where no such id is known, or the text is no id."""
        ...

    def list_tasks(self, query: TaskQuery) -> TaskPage:
        """Tasks, newest first (submitted_at, then task_id); paging by cursor shows each exactly once."""
        ...

    def count_tasks(self) -> TaskCounts:
        """How many tasks have each status; its cost grows with those that are not final only."""
        ...

    def find_final(self, task_ids: Collection[str]) -> set[str]:
        """Which of these are final, or unknown: waiting for them makes no sense any more."""
        ...


class TaskChanges(Protocol):
    """The side of the client who changes a task's fate."""

    def cancel(self, task_id: str) -> TaskDetail:
        """Cancel a scheduled or queued task; raises `TaskNotFound`, or `TaskConflict` in any other status."""
        ...

    def retry(self, task_id: str) -> TaskDetail:
        """Queue a failed task again, with all its attempts; raises `TaskNotFound`, or `TaskConflict`."""
        ...


class TaskClaims(Protocol):
    """The worker's side.

    A worker process claims again only when it holds nothing, so that a group is all that a crash can hit.
    """

    def claim(self, limit: ClaimLimit, lease_seconds: float) -> list[ClaimedTask]:
        """Take what is due, by task priority, then by time: no one else gets it until the lease is over.

        What another worker held until its lease was over comes first, in groups half as large as that
        worker's. One that was lost when it was alone already is a suspect: it may be what the worker died of.
        """
        ...

    def seconds_until_due(self) -> float | None:
        """How long until there may be something to claim, 0 where there is; None where nothing is pending."""
        ...

    def extend(self, leases: Sequence[Lease], lease_seconds: float) -> set[str]:
        """Hold on for so long from now; the ids of those that are still held."""
        ...

    def complete(self, completions: Sequence[Completion]) -> set[str]:
        """Write results; the ids of those written. Whoever lost a lease changes nothing."""
        ...

    def fail(self, failures: Sequence[Failure]) -> set[str]:
        """Write failures; the ids of those written. Whoever lost a lease changes nothing."""
        ...

    def release(self, leases: Sequence[Lease]) -> set[str]:
        """Give tasks back as if never claimed; the ids of those that were still held."""
        ...


class TaskRetention(Protocol):
    """The side of the broom."""

    def delete_finished(self, kept_seconds: float, limit: int) -> int:
        """Delete tasks that have been final for longer, oldest first, at most so many; returns how many."""
        ...


class WakeUps(Protocol):
    """Tells a waiting worker that something was submitted; it must still look from time to time."""

    @property
    def is_listening(self) -> bool:
        """Whether wake-ups from other processes arrive now."""
        ...

    def wait(self, seconds: float) -> bool:
        """Return True as soon as something may have become due, False after so many seconds."""
        ...

    def wake(self) -> None:
        """End the waiting in this process now."""
        ...
