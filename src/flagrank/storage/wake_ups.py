"""How a waiting worker learns at once that another process has submitted something."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Any, Self

from sqlalchemy import text

from flagrank.own_thread import OwnThread
from flagrank.storage.dialect import LISTEN_CHANNEL
from flagrank.storage.engine import Database
from flagrank.telemetry import get_logger
from flagrank.triage.errors import FlagrankError, StoreUnavailable

LOOK_SECONDS = 0.01
RECONNECT_SECONDS = 1.0
ECHO_SECONDS = 4.0  # between two proofs that notifications arrive
PATIENCE_SECONDS = 2.0  # how long one may take
_STEP_SECONDS = 0.25

log = get_logger("storage")


def choose_wake_ups(database: Database) -> "EmbeddedWakeUps | ListeningWakeUps":
    """The wake-ups that this database offers: a context manager, to be left before the database is closed."""
    return EmbeddedWakeUps(database) if database.is_embedded else ListeningWakeUps(database)


class EmbeddedWakeUps:
    """The port `WakeUps` on SQLite, which tells each connection whether another one has committed."""

    is_listening = True

    def __init__(self, database: Database) -> None:
        self._database = database
        self._signal = threading.Event()
        self._open = ExitStack()
        self._seen: object = None

    def __enter__(self) -> Self:
        connection = self._open.enter_context(self._database.read())
        self._execute = connection.connection.cursor().execute
        connection.detach()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def wait(self, seconds: float) -> bool:
        """See the port. For one thread."""
        end = time.monotonic() + seconds
        while not self._signal.is_set():
            left = end - time.monotonic()
            if self._has_changed():
                return True
            if left <= 0:
                return False
            self._signal.wait(min(left, LOOK_SECONDS))
        self._signal.clear()
        return True

    def wake(self) -> None:
        """See the port."""
        self._signal.set()

    def _has_changed(self) -> bool:
        """Whether anyone has committed since the last time; reads no page of the file."""
        had_seen, self._seen = self._seen, self._execute("PRAGMA data_version").fetchone()
        return bool(self._seen != had_seen)


class ListeningWakeUps(OwnThread):
    """The port `WakeUps` on PostgreSQL: LISTEN on a connection of its own, made anew where it breaks.

    That LISTEN was accepted proves nothing behind a pooler: now and then another connection sends an echo.
    """

    def __init__(self, database: Database) -> None:
        super().__init__("wake-ups")
        self._database = database
        self._signal = threading.Event()
        self._echo_channel = f"{LISTEN_CHANNEL}_{os.urandom(8).hex()}"
        self.is_listening = False

    def wait(self, seconds: float) -> bool:
        """See the port. For one thread."""
        was_woken = self._signal.wait(seconds)
        self._signal.clear()
        return was_woken

    def wake(self) -> None:
        """See the port."""
        self._signal.set()

    def _run(self) -> None:
        is_first = True
        while not self._closing.is_set():
            reason = "no notification arrives: is there a pooler in transaction mode?"
            try:
                with self._connect() as connection:
                    self._listen(connection)
            except FlagrankError as error:
                reason = error.detail
            if (self.is_listening or is_first) and not self._closing.is_set():
                log.warning("worker_polls", sentence=f"Workers ask every second, since {reason}")
            self.is_listening = is_first = False
            self._closing.wait(RECONNECT_SECONDS)

    @contextmanager
    def _connect(self) -> Iterator[Any]:
        """The driver's own connection, which is not the pool's any more."""
        with self._database.read() as connection:
            driver_connection = connection.connection.driver_connection
            connection.detach()
            try:
                yield driver_connection
            except connection.dialect.loaded_dbapi.Error as error:
                raise StoreUnavailable("the connection that listens broke.") from error

    def _listen(self, connection: Any) -> None:  # noqa: ANN401 - psycopg comes with an extra
        """Wake the waiting until no echo arrives any more, or this is closed."""
        connection.execute(f"LISTEN {LISTEN_CHANNEL}")
        connection.execute(f"LISTEN {self._echo_channel}")
        asked_at = self._ask_for_echo()
        is_due = True
        while not self._closing.is_set():
            for notification in connection.notifies(timeout=_STEP_SECONDS):
                if notification.channel == LISTEN_CHANNEL or not self.is_listening:
                    self._signal.set()  # at the beginning, too: something may have come before it
                if notification.channel == self._echo_channel:
                    self.is_listening, is_due = True, False
            waited = time.monotonic() - asked_at
            if is_due and waited > PATIENCE_SECONDS:
                return
            if not is_due and waited > ECHO_SECONDS:
                asked_at, is_due = self._ask_for_echo(), True

    def _ask_for_echo(self) -> float:
        with self._database.read() as connection:
            connection.execute(text("SELECT pg_notify(:channel, '')"), {"channel": self._echo_channel})
        return time.monotonic()
