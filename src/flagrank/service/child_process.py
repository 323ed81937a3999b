"""A child process of a server: what it is ordered to do, and its end when whoever started it is gone.

The first line of its standard input is its order; the input's end tells it to stop, however its parent ended.
"""

import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

import msgspec

from flagrank.settings import Settings
from flagrank.telemetry import configure_logs
from flagrank.triage.errors import FlagrankError


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a child does; descriptors are those it inherits."""

    role: Literal["api", "worker"]
    settings: Settings
    folder: str  # of what the processes of one server share
    row: int = 0  # of the numbers that they count
    schema_file: str | None = None
    listener: int = -1
    ready: int = -1  # where an api process tells that it answers


def obey(order: Order) -> None:
    """Run the role to its end; in the main thread."""
    if order.role == "worker":
        from flagrank.service.worker_process import run_worker_child

        run_worker_child(order, watch_parent)
    else:
        from flagrank.service.serving import run_api_child

        run_api_child(order, watch_parent)


def tell_ready(descriptor: int) -> None:
    """Tell the parent that requests are answered; it may have heard enough."""
    with suppress(OSError):
        os.write(descriptor, b".")


def watch_parent(stop: Callable[[], None]) -> None:
    """Call `stop`, from another thread, once the parent has closed our standard input or is gone."""

    def watch() -> None:
        while os.read(0, 1):  # sys.stdin's lock would be in the way at the interpreter's end
            pass
        stop()

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def main() -> None:
    """Read the order and obey it."""
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=Order)
    configure_logs(order.settings.log_style, order.settings.log_level)
    try:
        obey(order)
    except FlagrankError as error:
        sys.stderr.write(f"{error.detail}\n")
        raise SystemExit(1) from error


if __name__ == "__main__":
    main()
