"""Removes tasks that have been finished for long enough, in small batches."""

from flagrank.own_thread import OwnThread
from flagrank.telemetry import get_logger
from flagrank.triage.errors import FlagrankError
from flagrank.triage.task_ports import TaskRetention

SWEEP_SECONDS = 60.0
PAUSE_SECONDS = 0.05  # in which others get their turn
BATCH_TASKS = 200

log = get_logger("worker")


class Broom(OwnThread):
    """Sweeps once a minute, from a thread of its own; a context manager. Several may be at work."""

    def __init__(self, retention: TaskRetention, kept_seconds: float) -> None:
        super().__init__("broom")
        self._retention = retention
        self._kept_seconds = kept_seconds

    def _run(self) -> None:
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
