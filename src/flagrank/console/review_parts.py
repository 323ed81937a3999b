"""What the pages of the review queue reach the store through."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TypeVar

from flagrank.telemetry import ReviewMetrics
from flagrank.triage.policy import Policy
from flagrank.triage.review_ports import Deciding, Leasing, QueueReading
from flagrank.triage.review_statistics import ReviewStatistics

MOST_COUNTED = 10_001  # open cases; counting on would cost more than anybody reads out of it

_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class ReviewParts:
    """The ports, asked in `executor`, and the policy in force.

    A page holds its cases for `lease_seconds`; statistics are read again after `statistics_seconds`.
    """

    reading: QueueReading
    leasing: Leasing
    deciding: Deciding
    find_policy: Callable[[], Policy]
    executor: Executor
    metrics: ReviewMetrics
    statistics: ReviewStatistics
    lease_seconds: int = 600
    statistics_seconds: float = 30.0

    async def ask(self, ask: Callable[[], _Answer]) -> _Answer:
        """The answer of a port."""
        return await asyncio.get_running_loop().run_in_executor(self.executor, ask)


def tell_count(open_cases: int) -> str:
    """How many cases are open, in words."""
    if open_cases >= MOST_COUNTED:
        return f"over {MOST_COUNTED - 1:,} open cases"
    return f"{open_cases:,} open {'case' if open_cases == 1 else 'cases'}"
