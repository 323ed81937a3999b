"""Removes tasks that have been finished for long enough, in small batches."""

import threading
from types import TracebackType
from typing import Self

from flagrank.telemetry import get_logger
from flagrank.triage.errors import FlagrankError
from flagrank.triage.task_ports import TaskRetention

SWEEP_SECONDS = 60.0
PAUSE_SECONDS = 0.05  # in which others get their turn
BATCH_TASKS = 200

log = get_logger("worker")


class Broom:
    """Sweeps once a minute, from a thread of its own; a context manager. Several may be at work."""

    def __init__(self, retention: TaskRetention, kept_seconds: float) -> None:
        self._retention = retention
        self._kept_seconds = kept_seconds
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._sweep_for_ever, name="broom", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._thread.join()

    def _sweep_for_ever(self) -> None:
        pause = PAUSE_SECONDS
        while not self._closing.wait(pause):
            pause = PAUSE_SECONDS if self._sweep() == BATCH_TASKS else SWEEP_SECONDS

    def _sweep(self) -> int:
        """How many tasks were removed."""
        try:
            return self._retention.delete_finished(self._kept_seconds, BATCH_TASKS)
        except FlagrankError as error:  # they can wait for the next sweep
            log.warning("sweep_failed", code=error.code, sentence=error.detail)
            return 0
