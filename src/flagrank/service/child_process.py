"""A child process of a server or worker: what it is ordered to do, and its end when its parent is gone.

The first line of its standard input is its order; the input's end tells it to stop, however its parent ended.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Literal, assert_never

import msgspec

from flagrank.settings import Settings
from flagrank.telemetry import configure_logs
from flagrank.triage.errors import FlagrankError
from flagrank.triage.task import ClaimedTask


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a child does; descriptors are those it inherits."""

    role: Literal["api", "worker", "scorer"]
    settings: Settings
    folder: str  # of what the processes of one server share
    row: int = 0  # of the numbers that they count
    schema_file: str | None = None
    listener: int = -1
    ready: int = -1  # where an api process tells that it answers
    task: ClaimedTask | None = None  # for a scorer


class ParentWatch:
    """Notices, from a thread of its own, that the parent has closed our standard input or is gone.

    Until a role has told what to call then, the process just ends: it holds nothing yet.
    """

    def __init__(self) -> None:
        self._stop: Callable[[], None] = lambda: os._exit(0)
        threading.Thread(target=self._watch, name="parent-watch", daemon=True).start()

    def call(self, stop: Callable[[], None]) -> None:
        """Call this, once, in place of ending at once."""
        self._stop = stop

    def _watch(self) -> None:
        while os.read(0, 1):  # sys.stdin's lock would be in the way at the interpreter's end
            pass
        self._stop()


def obey(order: Order, parent: ParentWatch) -> None:
    """Run the role to its end; in the main thread."""
    match order.role:
        case "worker":
            from flagrank.service.worker_process import run_worker_child

            run_worker_child(order, parent)
        case "scorer":
            from flagrank.service.scoring_process import run_scorer_child

            run_scorer_child(order)
        case "api":
            from flagrank.service.serving import run_api_child

            run_api_child(order, parent)
        case _:
            assert_never(order.role)


def tell_ready(descriptor: int) -> None:
    """Tell the parent that requests are answered; it may have heard enough."""
    with suppress(OSError):
        os.write(descriptor, b".")


def main() -> None:
    """Read the order and obey it."""
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # of a terminal; until the role takes over, the parent decides
    line = sys.stdin.buffer.readline()
    if not line.endswith(b"\n"):
        return  # whoever would give the order is gone
    order = msgspec.json.decode(line, type=Order)
    parent = ParentWatch()
    configure_logs(order.settings.log_style, order.settings.log_level)
    try:
        obey(order, parent)
    except FlagrankError as error:
        sys.stderr.write(f"{error.detail}\n")
        raise SystemExit(1) from error


if __name__ == "__main__":
    main()
