"""Runs the benchmarks: python -m benchmarks [PART ...] [--install]."""

import argparse
import os
import sys
from collections.abc import Callable
from functools import partial

from benchmarks import (
    blind_slice,
    console,
    pooling,
    promotions,
    quality,
    review,
    review_queue,
    serving,
    start,
    tasks,
    tasks_full,
)
from benchmarks.tables import progress

PARTS = (
    "start",
    "serving",
    "promotions",
    "tasks",
    "quality",
    "review",
    "queue",
    "pooling",
    "slice",
    "console",
)
# A thousand promotions, tasks beside task libraries, tasks and reports by the ten million; when named only.
FULL = "full"


def main() -> None:
    """Run the parts named, or all but the full one: about twenty-two minutes on two cores."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}, which is the default, or {FULL}"
    )
    parser.add_argument(
        "--install", action="store_true", help="also measure the size of an install (a minute)"
    )
    arguments = parser.parse_args()
    parts = arguments.parts or PARTS
    if unknown := set(parts) - {*PARTS, FULL}:
        parser.error(
            f"there is no part {', '.join(sorted(unknown))}; the parts are {', '.join(PARTS)}, {FULL}"
        )
    _warn_of_company()
    runs: dict[str, Callable[[], None]] = {
        "start": partial(start.main, with_install=arguments.install),
        "serving": serving.main,
        "promotions": promotions.main,
        "tasks": tasks.main,
        "quality": quality.main,
        "review": review.main,
        "queue": partial(review_queue.main, *review_queue.SMALL),
        "pooling": pooling.main,
        "slice": blind_slice.main,
        "console": console.main,
        FULL: _run_full,
    }
    for name, run in runs.items():
        if name in parts:
            run()


def _run_full() -> None:
    promotions.main(promotions.FEW, processes=2)
    promotions.main(promotions.MANY)
    tasks_full.main()
    review_queue.main()


def _warn_of_company() -> None:
    load, processors = os.getloadavg()[0], len(os.sched_getaffinity(0))
    if processors < 2:
        sys.exit(
            "The benchmarks pin a server and its load to two processors; this machine has one. Use another."
        )
    if load > processors / 2:
        progress.print(
            f"[yellow]This machine is busy (load {load:.1f} on {processors} processors): "
            "the figures will be worse than on an idle one.[/yellow]"
        )


if __name__ == "__main__":
    main()
