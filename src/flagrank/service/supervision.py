"""Keeping child processes alive: one thread a child starts it, waits for its end, and starts it again."""

import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Self

import msgspec

from flagrank.service.child_process import Order
from flagrank.service.stop_signal import StopSignal
from flagrank.telemetry import get_logger

LOOK_SECONDS = 0.1
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0
SETTLED_SECONDS = 10.0  # a child that lived for so long did not end for what is wrong at its start

log = get_logger("service")


class Keeper:
    """Keeps one child alive; a context manager, at whose end the child has stopped.

    `when_ended` is told the exit code each time the child ends by itself.
    """

    def __init__(
        self, order: Order, stop_seconds: float, when_ended: Callable[[int], None] = lambda _: None
    ) -> None:
        self._order = order
        self._stop_seconds = stop_seconds
        self._when_ended = when_ended
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"keeper-{order.role}", daemon=True)

    def __enter__(self) -> Self:
        self._start()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ask_to_stop()
        self._thread.join(self._stop_seconds)
        if self._thread.is_alive():
            self.kill()
        self._thread.join()

    @property
    def is_alive(self) -> bool:
        """Whether the child still runs, or would be started again."""
        return self._thread.is_alive()

    def ask_to_stop(self) -> None:
        """Let the child end what it has begun; returns at once."""
        with self._lock:
            self._closing.set()
            if self._child is not None and self._child.stdin is not None:
                self._child.stdin.close()

    def kill(self) -> None:
        """End the child now."""
        self.ask_to_stop()
        if self._child is not None:
            self._child.kill()

    def _start(self) -> None:
        with self._lock:
            if self._closing.is_set():
                return
            inherited = [number for number in (self._order.listener, self._order.ready) if number >= 0]
            command = [sys.executable, "-P", "-m", "flagrank.service.child_process"]
            child = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=inherited)  # noqa: S603 - our own module
            self._child = child
            with suppress(BrokenPipeError):  # it ended before its order came
                if child.stdin is not None:
                    child.stdin.write(msgspec.json.encode(self._order) + b"\n")
                    child.stdin.flush()

    def _keep(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while self._child is not None:
            began = time.monotonic()
            code = self._child.wait()
            if self._closing.is_set():
                return
            log.warning("child_ended", role=self._order.role, code=code)
            self._when_ended(code)
            pause = FIRST_PAUSE_SECONDS if time.monotonic() - began > SETTLED_SECONDS else pause
            self._closing.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            self._start()


class Children:
    """Several api processes that share one listening socket, each kept alive."""

    def __init__(self, order: Order, listener: socket.socket) -> None:
        """Each gets the order, with the role and the descriptors that belong to it."""
        self._order = msgspec.structs.replace(order, role="api", listener=listener.fileno())
        self._settings = order.settings
        self._is_ready = False
        self._has_failed = False

    def run(self, when_started: Callable[[], None]) -> None:
        """Run them until a signal says to stop, a second one at once; in the main thread. Blocks.

        `when_started` is called once all of them answer; where one ends before that, all do.
        """
        stop = StopSignal()
        with ExitStack() as stack:
            ready, tell = os.pipe()
            stack.callback(os.close, ready)
            stack.callback(os.close, tell)
            order = msgspec.structs.replace(self._order, ready=tell)
            orders = [msgspec.structs.replace(order, row=row) for row in range(self._settings.processes)]
            keepers = [self._keep(order, stack) for order in orders]
            if self._are_ready(ready, stop):
                when_started()
                while not stop.came:
                    time.sleep(LOOK_SECONDS)
            for keeper in keepers:
                keeper.ask_to_stop()
            while stop.count < 2 and any(keeper.is_alive for keeper in keepers):
                time.sleep(LOOK_SECONDS)
            for keeper in keepers:
                keeper.kill()
        if self._has_failed:
            raise SystemExit(1)  # the child has said why

    def _keep(self, order: Order, stack: ExitStack) -> Keeper:
        stop_seconds = self._settings.drain_time + self._settings.shutdown_timeout_seconds
        return stack.enter_context(Keeper(order, stop_seconds, self._note_end))

    def _are_ready(self, ready: int, stop: StopSignal) -> bool:
        """Wait until every child has written a byte; False where one ended before, or a signal came."""
        missing = self._settings.processes
        while missing and not (stop.came or self._has_failed):
            if select.select([ready], [], [], LOOK_SECONDS)[0]:
                missing -= len(os.read(ready, missing))
        self._is_ready = not missing
        return not missing

    def _note_end(self, code: int) -> None:
        self._has_failed = self._has_failed or (code != 0 and not self._is_ready)
