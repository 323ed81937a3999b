"""Keeps what a worker holds from being claimed by others, while it is being scored and written."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from flagrank.own_thread import OwnThread
from flagrank.telemetry import get_logger
from flagrank.triage.errors import FlagrankError
from flagrank.triage.task import Lease
from flagrank.triage.task_ports import TaskClaims

EXIT_STUCK = 1

log = get_logger("worker")


class Heartbeat(OwnThread):
    """Extends leases four times in each of their lengths, from a thread of its own; a context manager.

    What hangs in a model can't be interrupted, and would be held for ever: past `stuck_seconds` this ends the
    process. Whoever started it starts another one, and what it held is lost like that of any dead worker.
    """

    def __init__(self, claims: TaskClaims, lease_seconds: float, stuck_seconds: float) -> None:
        super().__init__("heartbeat")
        self._claims = claims
        self._lease_seconds = lease_seconds
        self._stuck_seconds = stuck_seconds
        self._held: Sequence[Lease] = ()
        self._held_since = 0.0

    @contextmanager
    def hold(self, leases: Sequence[Lease]) -> Iterator[None]:
        """Extend these leases, newly claimed, until the end of the block."""
        self._held_since = time.monotonic()
        self._held = leases
        try:
            yield
        finally:
            self._held = ()

    def _run(self) -> None:
        while not self._closing.wait(self._lease_seconds / 4):
            held = self._held
            if not held:
                continue
            if (seconds := time.monotonic() - self._held_since) > self._stuck_seconds:
                log.error("worker_stuck", n_tasks=len(held), seconds=round(seconds))
                os._exit(EXIT_STUCK)
            try:
                self._claims.extend(held, self._lease_seconds)
            except FlagrankError as error:  # the next beat may still be in time
                log.warning("heartbeat_missed", code=error.code, n_tasks=len(held))
