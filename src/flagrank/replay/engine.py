"""Plays a history: reports come, a ranking orders the open cases, moderators decide the first."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from flagrank.replay.cases import CaseStatistics, OpenCases
from flagrank.replay.rankings import Ranking
from flagrank.replay.records import Records
from flagrank.simulation.history import REVIEWS, History
from flagrank.simulation.scores import prior_log_odds
from flagrank.triage.policy import DEFAULT_POLICY

STEP_HOURS = 0.25
"""Reports of a quarter of an hour come in, then decisions are taken: no wait is known more closely."""


@dataclass(frozen=True, slots=True)
class Decisions:
    """Every decision of a replay, in order: columns of equal length, and what was known when it was taken."""

    cases: CaseStatistics
    hours: NDArray[np.float64]
    is_actioned: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a ranking achieved: shares of 1, and waits in hours from a case's first report to its decision.

    Avertable is the harm ahead of each bad target at its first report, the earliest that anybody could act.
    What cannot be told, for want of bad targets or decisions, is NaN.
    """

    harm_averted: float
    bad_never_seen: float
    wait_median: float
    wait_of_bad_median: float
    wait_of_bad_p90: float
    cases: int
    decisions: Decisions


def play(
    history: History,
    log_odds: NDArray[np.float64],
    ranking: Ranking,
    capacity: float,
    *,
    exposure_is_sent: bool = True,
) -> Outcome:
    """Play `history`; evenly in time, moderators can decide `capacity` x as many cases as there are targets.

    `log_odds` is the score of each report. What is actioned is gone: nobody sees or reports it any more. What
    is dismissed may be reported again, which opens a new case. Time in which too few cases are open is lost.
    Ties go to the newest case, as in the product's index.
    """
    if not exposure_is_sent:
        unknown = np.full(len(history.reports), np.nan)
        history = replace(history, reports=replace(history.reports, exposure=unknown))
    game = _Game(history, log_odds, ranking)
    steps = int(np.ceil(history.hours / STEP_HOURS))
    ends = np.minimum(np.arange(1, steps + 1) * STEP_HOURS, history.hours)
    edges = np.concatenate([[0], np.searchsorted(history.reports.hours, ends)])
    earned = np.floor(capacity * len(history.targets) * ends / history.hours + 1e-9).astype(int)
    for step, end in enumerate(ends):
        game.receive(np.arange(edges[step], edges[step + 1]), end)
        game.decide(earned[step] - (earned[step - 1] if step else 0), end)
    return game.measure()


class _Game:
    """The state of a replay."""

    def __init__(self, history: History, log_odds: NDArray[np.float64], ranking: Ranking) -> None:
        count = len(history.targets)
        self._history = history
        self._ranking = ranking
        self._cases = OpenCases(history, log_odds, DEFAULT_POLICY, prior_log_odds(history))
        self._records = Records(len(history.reporters))
        self._priority = np.full(count, -np.inf)
        self._is_gone = np.zeros(count, dtype=np.bool_)
        self._seen = np.zeros(count, dtype=np.bool_)
        self._averted = np.zeros(count)
        self._opened = 0
        self._decided: list[tuple[CaseStatistics, NDArray[np.float64], NDArray[np.bool_]]] = []

    def receive(self, batch: NDArray[np.intp], hours: float) -> None:
        """Take in reports, except on what is gone, and rank what they change."""
        reports = self._history.reports
        batch = batch[~self._is_gone[reports.target[batch]]]
        if len(batch) == 0:
            return
        records = self._records.look_up(reports.reporter[batch], reports.reason[batch], hours)
        was_open = self._cases.is_open[reports.target[batch]]
        self._opened += len(np.unique(reports.target[batch][~was_open]))
        touched = self._cases.add(batch, records)
        self._priority[touched] = self._ranking(self._cases.statistics.take(touched))

    def decide(self, at_most: int, hours: float) -> None:
        """Decide the first cases, with the errors that moderators make."""
        chosen = self._choose(at_most)
        if len(chosen) == 0:
            return
        targets = self._history.targets
        review = np.minimum(self._cases.generation[chosen], REVIEWS - 1)
        is_actioned = targets.is_bad[chosen] ^ self._history.errs[chosen, review]
        now = np.full(len(chosen), hours)
        self._decided.append((self._cases.statistics.take(chosen), now, is_actioned))
        voices = self._cases.close(chosen)
        of_target = np.zeros(len(targets), dtype=np.bool_)
        of_target[chosen] = is_actioned
        self._records.add(
            self._cases.pair_reporter[voices],
            self._cases.pair_reason[voices],
            of_target[self._cases.pair_target[voices]],
            hours,
        )
        self._priority[chosen] = -np.inf
        self._seen[chosen] = True
        gone = chosen[is_actioned]
        self._is_gone[gone] = True
        self._averted[gone] = targets.harm_ahead(gone, now[is_actioned])

    def _choose(self, at_most: int) -> NDArray[np.intp]:
        waiting = np.flatnonzero(self._cases.is_open)
        if at_most >= len(waiting) or at_most == 0:
            return waiting[:at_most]
        priority = self._priority[waiting]
        least = np.partition(priority, -at_most)[-at_most]
        above, tied = waiting[priority > least], waiting[priority == least]
        missing = at_most - len(above)
        newest = np.argpartition(self._cases.statistics.opened_at[tied], -missing)[-missing:]
        return np.concatenate([above, tied[newest]])

    def measure(self) -> Outcome:
        """What was achieved until now."""
        targets, reports = self._history.targets, self._history.reports
        everyone = np.arange(len(targets))
        first = np.full(len(targets), np.inf)
        np.minimum.at(first, reports.target, reports.hours)
        avertable = targets.harm_ahead(everyone, first).sum()
        decisions = self._collect()
        wait = decisions.hours - decisions.cases.opened_at
        of_bad = wait[targets.is_bad[decisions.cases.target]]
        return Outcome(
            harm_averted=_share(self._averted.sum(), avertable),
            bad_never_seen=_share((targets.is_bad & ~self._seen).sum(), targets.is_bad.sum()),
            wait_median=_quantile(wait, 0.5),
            wait_of_bad_median=_quantile(of_bad, 0.5),
            wait_of_bad_p90=_quantile(of_bad, 0.9),
            cases=self._opened,
            decisions=decisions,
        )

    def _collect(self) -> Decisions:
        cases, hours, is_actioned = zip(*self._decided, strict=True) if self._decided else ((), (), ())
        empty = self._cases.statistics.take(np.zeros(0, dtype=np.intp))
        return Decisions(
            cases=CaseStatistics.join([empty, *cases]),
            hours=np.concatenate([np.zeros(0), *hours]),
            is_actioned=np.concatenate([np.zeros(0, dtype=np.bool_), *is_actioned]),
        )


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else float("nan")


def _quantile(values: NDArray[np.float64], share: float) -> float:
    return float(np.quantile(values, share)) if len(values) else float("nan")
