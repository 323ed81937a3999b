"""What the blind slice tells of all cases: shares, with intervals that hold also where few were looked at."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from flagrank.triage.binomial import bound_share


class Estimate(msgspec.Struct, frozen=True):
    """A share with its 95 % interval, and the number of cases that it rests on."""

    share: float
    low: float
    high: float
    n_cases: int


class SliceCase(msgspec.Struct, frozen=True):
    """A decided case of the blind slice; `inclusion` is the probability with which it could be marked."""

    arrived_at: datetime
    inclusion: float
    priority: float
    is_actionable: bool


class Floor(msgspec.Struct, frozen=True):
    """A lease by priority, lower than each one after it: what the ranking has reached since."""

    at: datetime
    priority: float


class SliceEstimates(msgspec.Struct, frozen=True):
    """What the slice says; None where it holds no case that could tell.

    `prevalence` is the share of actionable cases among all that came in. The ranking reaches a case where a
    lease by priority, after the case came in, went as low as its priority. `precision` is the share of
    actionable ones among the cases reached, `recall` the share of reached ones among the actionable.
    """

    prevalence: Estimate | None
    precision: Estimate | None
    recall: Estimate | None


def estimate_from_slice(cases: Sequence[SliceCase], floors: Sequence[Floor]) -> SliceEstimates:
    """The estimates from all marked cases up to the oldest not yet decided, whichever draw took them.

    `floors` rise in time and in priority. Of which draw a case came says nothing of what the ranking would
    have done with it: the slots of the blind slice take good ones away from it.
    """
    reached = [_is_reached(case, floors) for case in cases]
    return SliceEstimates(
        prevalence=estimate_share((case.inclusion, case.is_actionable) for case in cases),
        precision=estimate_share(
            (case.inclusion, case.is_actionable)
            for case, is_reached in zip(cases, reached, strict=True)
            if is_reached
        ),
        recall=estimate_share(
            (case.inclusion, is_reached)
            for case, is_reached in zip(cases, reached, strict=True)
            if case.is_actionable
        ),
    )


def estimate_share(drawn: Iterable[tuple[float, bool]]) -> Estimate | None:
    """The share of true ones among all, from a sample of them: (probability of being drawn, is true) of each.

    Each counts 1 / its probability, and the sum of these is the whole (Hajek, Comment on a paper by D. Basu,
    1971). It is as exact as n = (sum w)^2 / sum w^2 equal draws (Kish, Survey Sampling, 1965): the interval
    is theirs. None where nothing was drawn.
    """
    n_cases = 0
    total = squares = hits = 0.0
    for probability, is_true in drawn:
        weight = 1.0 / probability
        n_cases += 1
        total += weight
        squares += weight * weight
        hits += weight * is_true
    if n_cases == 0:
        return None
    share = min(hits / total, 1.0)
    low, high = bound_share(share, total * total / squares)
    return Estimate(share, low, high, n_cases)


def _is_reached(case: SliceCase, floors: Sequence[Floor]) -> bool:
    first = bisect_left(floors, case.arrived_at, key=lambda floor: floor.at)
    return first < len(floors) and floors[first].priority <= case.priority
