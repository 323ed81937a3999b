"""Which open cases are decided next: by deadline, by the blind slice, and by priority for the rest."""

import numpy as np
from numpy.typing import NDArray

from flagrank.replay.cases import CaseStatistics
from flagrank.triage.policy import DrawShares

_DAY_STEPS = 96  # of a quarter of an hour


class Draws:
    """Draws as the policy shares them out; what is marked for the blind slice stays so until its decision."""

    def __init__(self, targets: int, shares: DrawShares, seed: int = 0) -> None:
        self._shares = shares
        self._generator = np.random.default_rng(seed)
        self._is_marked = np.zeros(targets, dtype=np.bool_)
        self._opened: list[int] = []
        self._decided: list[int] = []

    def mark(self, opened: NDArray[np.intp]) -> None:
        """Mark each new case with one chance: the share of the slots, or less where most go undecided."""
        arrivals, decisions = (sum(counts[-_DAY_STEPS:]) for counts in (self._opened, self._decided))
        share = self._shares.blind_share
        chance = share * min(1.0, decisions / arrivals) if arrivals and decisions else share
        self._is_marked[opened] = self._generator.random(len(opened)) < chance
        self._opened.append(len(opened))

    def choose(
        self, waiting: NDArray[np.intp], at_most: int, cases: CaseStatistics, priority: NDArray[np.float64]
    ) -> NDArray[np.intp]:
        """Of the `waiting` cases those to decide, at most so many."""
        by_deadline, blind = (
            self._round(share * at_most) for share in (self._shares.deadline_share, self._shares.blind_share)
        )
        soonest = choose_highest(waiting, by_deadline, -cases.deadline_at)
        left = np.setdiff1d(waiting, soonest, assume_unique=True)
        marked = left[self._is_marked[left]]
        oldest = choose_highest(marked, blind, -cases.opened_at)
        left = np.setdiff1d(left, oldest, assume_unique=True)
        rest = at_most - len(soonest) - len(oldest)
        chosen = np.concatenate([soonest, oldest, choose_highest(left, rest, priority, cases.opened_at)])
        self._decided.append(len(chosen))
        return chosen

    def _round(self, slots: float) -> int:
        return int(slots + self._generator.random())


def choose_highest(
    waiting: NDArray[np.intp],
    at_most: int,
    value: NDArray[np.float64],
    tie: NDArray[np.float64] | None = None,
) -> NDArray[np.intp]:
    """Of `waiting` those whose `value` is highest, of equal ones those with the highest `tie`."""
    if at_most >= len(waiting) or at_most <= 0:
        return waiting[: max(at_most, 0)]
    values = value[waiting]
    least = np.partition(values, -at_most)[-at_most]
    above, tied = waiting[values > least], waiting[values == least]
    if tie is not None:
        tied = tied[np.argsort(-tie[tied], kind="stable")]
    return np.concatenate([above, tied[: at_most - len(above)]])
