"""Which deadlines can't be met at the pace at which cases are decided now, told before they are missed."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from math import floor

import msgspec

LEAST_COUNTED = timedelta(hours=1)


class DueCases(msgspec.Struct, frozen=True):
    """Open cases whose first review is due at one time."""

    due_at: datetime
    n_cases: int


class Outlook(msgspec.Struct, frozen=True):
    """What becomes of the deadlines of the open cases.

    `n_over` are over already; of the others at least `n_lost` can't be met, the first of them due at
    `first_lost_at`.
    """

    per_hour: float
    n_over: int
    n_lost: int
    first_lost_at: datetime | None


def measure_pace(n_decided: int, since: datetime | None, now: datetime) -> float:
    """Decisions an hour, of so many since then; of less than an hour as of an hour; 0 where there is none."""
    return 0.0 if since is None else n_decided / (max(now - since, LEAST_COUNTED) / timedelta(hours=1))


def foresee_deadlines(due: Iterable[DueCases], now: datetime, per_hour: float) -> Outlook:
    """How many deadlines are lost, by which order however good; no case that is yet to come takes a turn.

    By the soonest deadline first, leaving out what would come too late, the fewest are lost (Moore, An n job,
    one machine sequencing algorithm for minimizing the number of late jobs, 1968). The queue goes by harm, so
    that more may be: what is told is certain.
    """
    n_over = n_kept = n_lost = 0
    first_lost_at = None
    for cases in sorted(due, key=lambda cases: cases.due_at):
        if cases.due_at <= now:
            n_over += cases.n_cases
            continue
        room = floor(per_hour * ((cases.due_at - now) / timedelta(hours=1))) - n_kept
        kept = min(max(room, 0), cases.n_cases)
        n_kept += kept
        if kept < cases.n_cases:
            n_lost += cases.n_cases - kept
            first_lost_at = first_lost_at or cases.due_at
    return Outlook(per_hour, n_over, n_lost, first_lost_at)
