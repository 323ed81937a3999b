"""What a scrape tells of the review queue, read where nobody waits for it."""

import time
from collections.abc import Callable
from concurrent.futures import Executor

from flagrank.telemetry import QueueReadings
from flagrank.triage.errors import FlagrankError
from flagrank.triage.review_statistics import Backlog

FRESH_SECONDS = 30.0  # counting a million cases takes some tenths of a second


class QueueWatch:
    """Reads the backlog for whoever scrapes, and not at all while nobody does."""

    def __init__(self, read_backlog: Callable[[], Backlog], executor: Executor) -> None:
        self._read_backlog = read_backlog
        self._executor = executor
        self._asked_at = float("-inf")
        self._known: QueueReadings | None = None

    def read(self) -> QueueReadings | None:
        """What was read last, None where nothing was; asks for more where that is old. For the event loop."""
        if time.monotonic() - self._asked_at >= FRESH_SECONDS:
            self._asked_at = time.monotonic()
            self._executor.submit(self._look)
        return self._known

    def _look(self) -> None:
        try:
            backlog = self._read_backlog()
        except FlagrankError:  # `flagrank_store_up` tells of it
            self._known = None
            return
        outlook = backlog.foresee()
        self._known = QueueReadings(backlog.n_open, outlook.n_over, outlook.n_lost)
