"""The queue before SQLite's one writer: threads and processes write in the order they came."""

import fcntl
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


class WriterQueue:
    """One writer at a time among all that use the same lock file; the system ends the turn of a dead process.

    SQLite itself lets waiting writers ask again and again: under load whoever asks last wins, and some wait
    for seconds. (Four processes that submit and two that work, one file, p99 of a submission: .9 s, here .1.)
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._in_process = _Line()

    @contextmanager
    def turn(self, wait_seconds: float) -> Iterator[None]:
        """Wait for one's turn and hold it; raises `TimeoutError` after so long."""
        give_up = time.monotonic() + wait_seconds
        if not self._in_process.join(wait_seconds):
            raise TimeoutError
        try:
            # Closing it ends the turn. Each turn opens the file anew: one that was given up harms no other.
            with _lock(self._file, give_up - time.monotonic()):
                yield
        finally:
            self._in_process.leave()


class _Line:
    """The threads of this process, one at a time in the order they came.

    A lock goes to whoever asks just then: of six threads that wrote without a pause one waited for 10 s.
    """

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._waiting: deque[threading.Event] = deque()
        self._is_taken = False

    def join(self, wait_seconds: float) -> bool:
        """Whether it is this thread's turn within the time; then it must leave."""
        with self._changing:
            if not self._is_taken:
                self._is_taken = True
                return True
            turn = threading.Event()
            self._waiting.append(turn)
        if turn.wait(max(0.0, wait_seconds)):
            return True
        with self._changing:
            if turn.is_set():
                return True
            self._waiting.remove(turn)
            return False

    def leave(self) -> None:
        """Hand the turn to whoever waits longest."""
        with self._changing:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._is_taken = False


def _lock(path: Path, wait_seconds: float) -> BinaryIO:
    file = path.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _Wait(file).end_within(wait_seconds)
    return file


class _Wait:
    """Waits in a thread, since the system's queue knows no time limit."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._is_locked = threading.Event()
        self._deciding = threading.Lock()
        self._is_given_up = False

    def end_within(self, seconds: float) -> None:
        threading.Thread(target=self._wait, name="flagrank-writer-queue", daemon=True).start()
        self._is_locked.wait(max(0.0, seconds))
        with self._deciding:
            if not self._is_locked.is_set():
                self._is_given_up = True
                raise TimeoutError

    def _wait(self) -> None:
        fcntl.flock(self._file, fcntl.LOCK_EX)
        with self._deciding:
            if self._is_given_up:
                self._file.close()
            else:
                self._is_locked.set()
