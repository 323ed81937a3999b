"""A session in a process of its own: whatever a graph does there, it takes nothing from who asks but time.

Memory and the time of one call have limits, the priority is the lowest, and the process ends with its parent.
"""

import os
import select
import struct
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from types import TracebackType
from typing import IO, Self

import msgspec
import numpy as np

from flagrank.scoring.columns import Matrix
from flagrank.scoring.session import ModelSession, Scores
from flagrank.scoring.trial import limit_trial
from flagrank.triage.errors import PackageRefused

START_SECONDS = 60.0  # at the lowest priority on a busy machine
CALL_SECONDS = 5.0

_HEAD = struct.Struct("<?I")  # whether it went well, and how many bytes follow
_ROWS = struct.Struct("<I")


class _Order(msgspec.Struct):
    """What the child is to load; the graph follows."""

    feature_names: tuple[str, ...]
    model_bytes: int


class IsolatedSession:
    """A graph loaded in a child; a context manager, to be entered in the thread that asks. For one thread."""

    def __init__(self, model: bytes, feature_names: tuple[str, ...]) -> None:
        self._model = model
        self._names = feature_names
        self.is_over = False

    def __enter__(self) -> Self:
        """Start the child and load the graph. Raises `PackageRefused`."""
        self._folder = tempfile.TemporaryDirectory()  # a path in the graph finds nothing beside it
        self._child = subprocess.Popen(  # noqa: S603 - our own module, no shell
            [sys.executable, "-P", "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=self._folder.name,
        )
        order = msgspec.json.encode(_Order(self._names, len(self._model)))
        try:
            self._ask(order + b"\n" + self._model, START_SECONDS)
        except PackageRefused:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def score(self, matrix: Matrix) -> Scores:
        """As `ModelSession.score`; once the child has died or taken too long, `is_over` is true."""
        answer = self._ask(_ROWS.pack(len(matrix)) + matrix.tobytes(), CALL_SECONDS)
        return np.frombuffer(answer, np.float64)

    def _ask(self, message: bytes, seconds: float) -> bytes:
        give_up = time.monotonic() + seconds
        stdin, stdout = self._child.stdin, self._child.stdout
        if stdin is None or stdout is None:
            raise AssertionError
        try:
            _write(stdin, message, give_up)
            went_well, size = _HEAD.unpack(_read(stdout, _HEAD.size, give_up))
            answer = _read(stdout, size, give_up)
        except (OSError, EOFError) as error:
            self.is_over = True
            raise PackageRefused(
                f"model.onnx ended its process, or took over {seconds:g} s. Make a smaller model."
            ) from error
        if not went_well:
            raise PackageRefused(answer.decode())
        return answer

    def _end(self) -> None:
        self._child.kill()
        self._child.wait()
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                _close(pipe)
        self._folder.cleanup()


def _close(pipe: IO[bytes]) -> None:
    with suppress(BrokenPipeError):  # what was still to be written has nobody left to read it
        pipe.close()


def _write(pipe: IO[bytes], content: bytes, give_up: float) -> None:
    """Write all; raises `OSError` where nobody reads in time."""
    descriptor = pipe.fileno()
    os.set_blocking(descriptor, False)
    left = memoryview(content)
    while left:
        if not select.select([], [descriptor], [], max(0.0, give_up - time.monotonic()))[1]:
            raise TimeoutError
        left = left[os.write(descriptor, left) :]


def _read(pipe: IO[bytes], size: int, give_up: float) -> bytes:
    """Read so many bytes; raises `OSError` or `EOFError` where they don't come in time."""
    content = b""
    while len(content) < size:
        if not select.select([pipe], [], [], max(0.0, give_up - time.monotonic()))[0]:
            raise TimeoutError
        piece = os.read(pipe.fileno(), size - len(content))
        if not piece:
            raise EOFError
        content += piece
    return content


def _main() -> None:
    """The child: load, then answer until the parent is gone."""
    os.nice(19)
    limit_trial()
    stdin, stdout = sys.stdin.buffer, sys.stdout.buffer
    order = msgspec.json.decode(stdin.readline(), type=_Order)

    def answer(content: bytes, *, went_well: bool) -> None:
        stdout.write(_HEAD.pack(went_well, len(content)) + content)
        stdout.flush()

    try:
        session = ModelSession(stdin.read(order.model_bytes), order.feature_names)
    except PackageRefused as error:
        answer(error.detail.encode(), went_well=False)
        return
    answer(b"", went_well=True)
    width = len(order.feature_names)
    while head := stdin.read(_ROWS.size):
        (rows,) = _ROWS.unpack(head)
        matrix = np.frombuffer(stdin.read(rows * width * 4), np.float32).reshape(rows, width)  # (n, f)
        try:
            answer(session.score(matrix).tobytes(), went_well=True)
        except PackageRefused as error:
            answer(error.detail.encode(), went_well=False)


if __name__ == "__main__":
    _main()
