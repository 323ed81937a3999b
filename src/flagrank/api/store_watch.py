"""Looks at the store once in a while: does it answer, how much waits in it, which keys are in force."""

import time
from collections.abc import Callable
from typing import Self

from flagrank.api.keys import KeyRing
from flagrank.api.problems import make_backlog_problem
from flagrank.own_thread import OwnThread
from flagrank.telemetry import get_logger
from flagrank.triage.errors import FlagrankError, StoreUnavailable
from flagrank.triage.task import TaskCounts, TaskStatus
from flagrank.triage.task_ports import TaskReading

LOOK_SECONDS = 0.5
SILENT_SECONDS = 5.0  # a look that takes longer is no answer
REFUSED_SECONDS = 5.0  # how long a failed commit makes this process unready; then others may try again

log = get_logger("store")


class StoreWatch(OwnThread):
    """What is known of the store; a context manager that looks once at its begin, then from a thread."""

    def __init__(
        self,
        reading: TaskReading,
        keys: KeyRing,
        *,
        most_tasks: int,
        least_free_bytes: int,
        read_free_bytes: Callable[[], int] | None,
        read_oldest_snapshot_seconds: Callable[[], float | None],
    ) -> None:
        """`read_free_bytes` tells how much room the disk of an embedded database has.

        `read_oldest_snapshot_seconds` asks the database for what `oldest_snapshot_seconds` shows.
        """
        super().__init__("store-watch")
        self._reading = reading
        self._keys = keys
        self._most_tasks = most_tasks
        self._least_free_bytes = least_free_bytes
        self._read_free_bytes = read_free_bytes
        self._read_oldest_snapshot_seconds = read_oldest_snapshot_seconds
        self._fault: str | None = None
        self._answered_at = 0.0
        self._refusal = ""
        self._refused_at = float("-inf")
        self._waiting = 0
        self._counts: TaskCounts | None = None
        self._oldest_snapshot_seconds: float | None = None
        self._n_accepted = 0  # written by the event loop only
        self._n_counted = 0  # of those accepted, how many `_waiting` holds
        self._free_bytes: int | None = None

    def __enter__(self) -> Self:
        """Raises `StoreUnavailable` where the store does not answer."""
        self._look()
        return super().__enter__()

    def find_reasons(self) -> list[str]:
        """Why requests should go elsewhere; nothing where they need not."""
        reasons = []
        if self._fault is not None:
            reasons.append(self._fault)
        elif (silent := time.monotonic() - self._answered_at) > SILENT_SECONDS:
            reasons.append(f"The database has not answered for {silent:.0f} s. Look at it.")
        elif time.monotonic() - self._refused_at < REFUSED_SECONDS:
            reasons.append(self._refusal)
        if self._lacks_room:
            reasons.append("The disk of the database is nearly full. Make room on it.")
        return reasons

    @property
    def counts(self) -> TaskCounts | None:
        """The counts of the last look; None where the store does not answer."""
        return self._counts if self._fault is None else None

    @property
    def oldest_snapshot_seconds(self) -> float | None:
        """Age of the oldest snapshot that keeps vacuum from its work; None where nothing is known of one."""
        return self._oldest_snapshot_seconds if self._fault is None else None

    def check_room(self) -> None:
        """Raise where no task can be taken in now: `HttpProblem`, or `StoreUnavailable`."""
        if self._fault is not None:
            raise StoreUnavailable(self._fault)
        if self._lacks_room:
            raise make_backlog_problem(
                "The disk of the database is nearly full: no task is taken. Send the request again later."
            )
        if self._waiting + self._n_accepted - self._n_counted >= self._most_tasks:
            raise make_backlog_problem(
                f"{self._most_tasks:,} tasks wait already, the most that this server allows. "
                "Send the request again later."
            )

    def note_accepted(self) -> None:
        """Count a task that may be new; for the event loop."""
        self._n_accepted += 1

    def note_refused(self, error: StoreUnavailable) -> None:
        """Remember that a commit failed, which reading alone does not show (a full disk)."""
        self._refusal = error.detail
        self._refused_at = time.monotonic()

    @property
    def _lacks_room(self) -> bool:
        return self._free_bytes is not None and self._free_bytes < self._least_free_bytes

    def _run(self) -> None:
        pause = LOOK_SECONDS
        while not self._closing.wait(pause):
            begin = time.monotonic()
            try:
                self._look()
            except FlagrankError as error:
                if self._fault is None:
                    log.warning("store_lost", code=error.code, sentence=error.detail)
                self._fault = error.detail
            # Counting a long backlog takes a while: it must not become the database's main work.
            pause = max(LOOK_SECONDS, 10 * (time.monotonic() - begin))

    def _look(self) -> None:
        self._keys.refresh()
        n_accepted = self._n_accepted
        self._counts = self._reading.count_tasks()
        by_status = self._counts.by_status
        self._waiting = by_status[TaskStatus.SCHEDULED] + by_status[TaskStatus.QUEUED]
        self._n_counted = n_accepted
        self._free_bytes = self._read_free_bytes and self._read_free_bytes()
        self._oldest_snapshot_seconds = self._read_oldest_snapshot_seconds()
        self._answered_at = time.monotonic()
        if self._fault is not None:
            log.info("store_back")
        self._fault = None
