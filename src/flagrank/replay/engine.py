"""Plays a history: reports come, a ranking orders the open cases, moderators decide the first."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from flagrank.replay.cases import CaseStatistics, OpenCases
from flagrank.replay.draws import Draws
from flagrank.replay.rankings import Ranking
from flagrank.replay.records import DecidedCases, Records
from flagrank.replay.scored_history import ScoredHistory
from flagrank.triage.policy import DrawShares, Policy

STEP_HOURS = 0.25
"""Reports of a quarter of an hour come in, then decisions are taken: no wait is known more closely."""

_NO_DRAWS = DrawShares(0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a ranking works under: moderators decide so many cases an hour, evenly in time.

    Without `with_draws` every decision goes by priority.
    """

    policy: Policy
    decisions_per_hour: float
    exposure_is_sent: bool = True
    with_draws: bool = False


@dataclass(frozen=True, slots=True)
class Decisions:
    """Every decision of a replay, in order: columns of equal length, and what was known when it was taken."""

    cases: CaseStatistics
    hours: NDArray[np.float64]
    is_actioned: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a ranking achieved.

    Avertable is the harm ahead of each bad target at its first report, the earliest that anybody could act;
    `harm_averted` is a share of 1, NaN where no target is bad.
    """

    harm_averted: float
    n_cases: int
    decisions: Decisions
    waits_of_bad: NDArray[np.float64]
    """Hours from the first report on each bad target to its first decision; infinite where there was none."""

    @property
    def bad_never_seen(self) -> float:
        """The share of bad targets that no moderator saw; NaN where none is bad."""
        return float(np.isinf(self.waits_of_bad).mean()) if len(self.waits_of_bad) else float("nan")

    def wait_of_bad(self, share: float) -> float:
        """Within how many hours this share of the bad targets that were seen at all was seen; NaN if none."""
        seen = self.waits_of_bad[np.isfinite(self.waits_of_bad)]
        return float(np.quantile(seen, share)) if len(seen) else float("nan")


def play(scored: ScoredHistory, ranking: Ranking, terms: Terms) -> Outcome:
    """Play a history.

    What is actioned is gone: nobody sees or reports it any more. What is dismissed may be reported again,
    which opens a new case. Time in which too few cases are open is lost. Ties go to the newest case, as in
    the product's index.
    """
    history = scored.history
    if not terms.exposure_is_sent:
        unknown = np.full(len(history.reports), np.nan)
        history = replace(history, reports=replace(history.reports, exposure=unknown))
        scored = replace(scored, history=history)
    game = _Game(scored, ranking, terms)
    steps = int(np.ceil(history.hours / STEP_HOURS))
    ends = np.minimum(np.arange(1, steps + 1) * STEP_HOURS, history.hours)
    # The last report of a file comes at its very end.
    edges = np.concatenate([[0], np.searchsorted(history.reports.hours, ends[:-1]), [len(history.reports)]])
    earned = np.floor(terms.decisions_per_hour * ends + 1e-9).astype(int)
    groupings = list(scored.groupings)
    for step, end in enumerate(ends):
        while groupings and groupings[0].hours <= end - STEP_HOURS:
            game.join_voices(groupings.pop(0).group, edges[step], end - STEP_HOURS)
        game.receive(np.arange(edges[step], edges[step + 1]), end)
        game.decide(earned[step] - (earned[step - 1] if step else 0), end)
    return game.measure()


class _Game:
    """The state of a replay."""

    def __init__(self, scored: ScoredHistory, ranking: Ranking, terms: Terms) -> None:
        history, count = scored.history, len(scored.history.targets)
        self._history = history
        self._ranking = ranking
        self._cases = OpenCases(scored, terms.policy)
        self._records = Records(history.n_reporters, terms.policy.reporters)
        self._draws = Draws(count, terms.policy.draws if terms.with_draws else _NO_DRAWS)
        self._priority = np.full(count, -np.inf)
        self._is_gone = np.zeros(count, dtype=np.bool_)
        self._first_seen = np.full(count, np.inf)
        self._averted = np.zeros(count)
        self._opened = 0
        self._decided: list[tuple[CaseStatistics, NDArray[np.float64], NDArray[np.bool_]]] = []

    def receive(self, batch: NDArray[np.intp], hours: float) -> None:
        """Take in reports, except on what is gone, and rank what they change."""
        batch = batch[~self._is_gone[self._history.reports.target[batch]]]
        target = np.unique(self._history.reports.target[batch])
        opened = target[~self._cases.is_open[target]]
        self._opened += len(opened)
        self._draws.mark(opened)
        self._rank(self._cases.add(batch, self._look_up(batch, hours)))

    def join_voices(self, group: NDArray[np.intp], now: int, hours: float) -> None:
        """Hear reporters found in step as one, also on the cases that are open."""
        again = self._cases.join_voices(group, now)
        self._rank(self._cases.hear_again(again, self._look_up(again, hours)))

    def decide(self, at_most: int, hours: float) -> None:
        """Decide the next cases; whoever reviews a target first may err."""
        cases = self._cases
        chosen = self._draws.choose(np.flatnonzero(cases.is_open), at_most, cases.statistics, self._priority)
        if len(chosen) == 0:
            return
        targets = self._history.targets
        is_first = np.isinf(self._first_seen[chosen])
        is_actioned = np.where(is_first, targets.looks_bad[chosen], targets.is_bad[chosen])
        decided = cases.statistics.take(chosen)
        now = np.full(len(chosen), hours)
        self._decided.append((decided, now, is_actioned))
        of_target = np.zeros(len(targets), dtype=np.bool_)
        of_target[chosen] = is_actioned
        heard = cases.close(chosen)
        self._records.add(
            DecidedCases(
                hours=hours,
                reason=decided.reason,
                is_actioned=is_actioned,
                reporter=cases.pair_reporter[heard],
                reporter_reason=cases.pair_reason[heard],
                reporter_actioned=of_target[cases.pair_target[heard]],
            )
        )
        self._priority[chosen] = -np.inf
        self._first_seen[chosen[is_first]] = hours
        gone = chosen[is_actioned]
        self._is_gone[gone] = True
        self._averted[gone] = targets.harm_ahead(gone, now[is_actioned])

    def measure(self) -> Outcome:
        """What was achieved until now."""
        targets, reports = self._history.targets, self._history.reports
        first = np.full(len(targets), np.inf)
        np.minimum.at(first, reports.target, reports.hours)
        avertable = targets.harm_ahead(np.arange(len(targets)), first).sum()
        cases, hours, is_actioned = zip(*self._decided, strict=True) if self._decided else ((), (), ())
        empty = self._cases.statistics.take(np.zeros(0, dtype=np.intp))
        return Outcome(
            harm_averted=float(self._averted.sum() / avertable) if avertable else float("nan"),
            n_cases=self._opened,
            decisions=Decisions(
                cases=CaseStatistics.join([empty, *cases]),
                hours=np.concatenate([np.zeros(0), *hours]),
                is_actioned=np.concatenate([np.zeros(0, dtype=np.bool_), *is_actioned]),
            ),
            waits_of_bad=(self._first_seen - first)[targets.is_bad],
        )

    def _rank(self, targets: NDArray[np.intp]) -> None:
        if len(targets):
            self._priority[targets] = self._ranking(self._cases.statistics.take(targets))

    def _look_up(self, batch: NDArray[np.intp], hours: float) -> NDArray[np.float64]:
        reports = self._history.reports
        return self._records.look_up(reports.reporter[batch], reports.reason[batch], hours)
