"""Cases while a history is played: one open case a target, kept as `triage.case` does, for many at once."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flagrank.replay.scored_history import ScoredHistory
from flagrank.simulation.reasons import REASONS
from flagrank.triage.case import GRID
from flagrank.triage.policy import Policy

NEVER = -np.inf
ABUSE_TYPES = ("MSG", "PRF")
"""Of what is no profile, and of what is one."""


@dataclass(frozen=True, slots=True)
class CaseStatistics:
    """What a ranking may read of each case: columns of equal length, one value a case, times in hours.

    They are named like `triage.case.Evidence`, which says what they hold.
    """

    target: NDArray[np.intp]
    """Its position in the history: for an oracle only."""
    is_profile: NDArray[np.bool_]
    opened_at: NDArray[np.float64]
    last_at: NDArray[np.float64]
    deadline_at: NDArray[np.float64]
    n_reports: NDArray[np.float64]
    n_reporters: NDArray[np.float64]
    max_log_odds: NDArray[np.float64]
    sum_weight: NDArray[np.float64]
    sum_record: NDArray[np.float64]
    innocence: NDArray[np.float64]
    """Sum of ln(1 - p) over the voices, each by its highest p."""
    severity: NDArray[np.float64]
    reason: NDArray[np.intp]
    """Of the most severe report, a position in `REASONS`."""
    exposure: NDArray[np.float64]
    """Last sent; NaN where none was."""

    def take(self, members: NDArray[np.intp]) -> "CaseStatistics":
        """The statistics of the cases at these positions."""
        return CaseStatistics(*(getattr(self, field.name)[members] for field in fields(self)))

    @staticmethod
    def join(parts: "Sequence[CaseStatistics]") -> "CaseStatistics":
        """The statistics of several (>= 1) groups of cases, one after the other."""
        return CaseStatistics(
            *(
                np.concatenate([getattr(part, field.name) for part in parts])
                for field in fields(CaseStatistics)
            )
        )


class OpenCases:
    """The case of every target: reports change it, a decision closes it, the next report opens a new one."""

    def __init__(self, scored: ScoredHistory, policy: Policy) -> None:
        history = scored.history
        reports, count = history.reports, len(history.targets)
        self._scored = scored
        self._reports = reports
        kind = history.targets.is_profile[reports.target].astype(np.intp)
        self._severity = np.array(
            [[policy.severity_of(reason, one) for reason in REASONS] for one in ABUSE_TYPES]
        )[kind, reports.reason]
        severities, place = np.unique(self._severity, return_inverse=True)
        hours = [policy.time_to_review(one) / timedelta(hours=1) for one in severities.tolist()]
        self._deadline = reports.hours + np.array(hours)[place]
        people = history.n_reporters + 1
        keys, self._pair = np.unique(reports.target * people + (reports.reporter + 1), return_inverse=True)
        self.pair_target = keys // people
        self.pair_reporter = keys % people - 1
        self.pair_reason = np.zeros(len(keys), dtype=np.intp)
        self._pair_starts = np.searchsorted(self.pair_target, np.arange(count + 1))
        self._by_target = np.argsort(reports.target, kind="stable")
        self._report_starts = np.searchsorted(reports.target[self._by_target], np.arange(count + 1))
        self._voice = np.arange(len(keys))  # of each pair of reporter and target: itself, or one of its group
        self._heard_in = np.full(len(keys), -1)  # which of the target's cases the pair, and the voice, is in
        self._voice_in = np.full(len(keys), -1)
        self._voice_log_odds = np.zeros(len(keys))
        self._voice_record = np.zeros(len(keys))
        self._opened_by = np.zeros(count, dtype=np.intp)
        self.generation = np.zeros(count, dtype=np.intp)
        self.is_open = np.zeros(count, dtype=np.bool_)
        made: dict[str, Any] = {field.name: np.zeros(count) for field in fields(CaseStatistics)}
        made |= {"target": np.arange(count), "is_profile": history.targets.is_profile}
        self.statistics = CaseStatistics(**{**made, "reason": np.zeros(count, dtype=np.intp)})

    def add(self, batch: NDArray[np.intp], records: NDArray[np.float64]) -> NDArray[np.intp]:
        """Take in reports, with the record of each one's reporter; the targets whose cases changed."""
        target, hours = self._reports.target[batch], self._reports.hours[batch]
        touched = np.unique(target)
        self._open(touched[~self.is_open[touched]], batch)
        statistics = self.statistics
        np.add.at(statistics.n_reports, target, 1)
        np.minimum.at(statistics.deadline_at, target, self._deadline[batch])
        statistics.last_at[target] = hours
        sent = ~np.isnan(self._reports.exposure[batch])
        statistics.exposure[target[sent]] = self._reports.exposure[batch][sent]
        self._find_worst(batch)
        pairs = self._pair[batch]
        self._heard_in[pairs] = self.generation[target]
        self.pair_reason[pairs] = self._reports.reason[batch]
        self._hear_voices(batch, records)
        return touched

    def close(self, targets: NDArray[np.intp]) -> NDArray[np.intp]:
        """Close the cases of these targets; the pairs of reporter and target that were in them."""
        pairs = _gather(self._pair_starts, targets)
        heard: NDArray[np.intp] = pairs[self._heard_in[pairs] == self.generation[self.pair_target[pairs]]]
        self.is_open[targets] = False
        self.generation[targets] += 1
        return heard

    def join_voices(self, group: NDArray[np.intp], now: int) -> NDArray[np.intp]:
        """Let each group of reporters, -1 for none, be one voice; the reports to be heard again by that.

        They are all those of the open cases that a group is in; `now` is how many came until now.
        """
        in_group = np.flatnonzero((self.pair_reporter >= 0) & (group[self.pair_reporter] >= 0))
        voice = np.arange(len(self._voice))
        key = self.pair_target[in_group] * (group.max() + 2) + group[self.pair_reporter[in_group]]
        _, first, member = np.unique(key, return_index=True, return_inverse=True)
        voice[in_group] = in_group[first][member]
        changed = np.unique(self.pair_target[voice != self._voice])
        self._voice = voice
        changed = changed[self.is_open[changed]]
        statistics = self.statistics
        for column in (
            statistics.n_reporters,
            statistics.sum_weight,
            statistics.innocence,
            statistics.sum_record,
        ):
            column[changed] = 0
        self._voice_in[_gather(self._pair_starts, changed)] = -1
        reports = self._by_target[_gather(self._report_starts, changed)]
        again: NDArray[np.intp] = np.sort(reports[(reports < now)])
        return again[again >= self._opened_by[self._reports.target[again]]]

    def hear_again(self, batch: NDArray[np.intp], records: NDArray[np.float64]) -> NDArray[np.intp]:
        """Add the voices of such reports, with their reporters' records; the targets whose cases changed."""
        self._hear_voices(batch, records)
        return np.unique(self._reports.target[batch])

    def _open(self, new: NDArray[np.intp], batch: NDArray[np.intp]) -> None:
        statistics = self.statistics
        self.is_open[new] = True
        for column in (
            statistics.n_reports,
            statistics.n_reporters,
            statistics.sum_weight,
            statistics.innocence,
            statistics.sum_record,
            statistics.severity,
        ):
            column[new] = 0
        statistics.max_log_odds[new] = NEVER
        statistics.deadline_at[new] = np.inf
        statistics.exposure[new] = np.nan
        is_new = np.zeros(len(self.is_open), dtype=np.bool_)
        is_new[new] = True
        # Backwards, so that the earliest of several reports is the one that stays.
        opening = batch[is_new[self._reports.target[batch]]][::-1]
        self._opened_by[self._reports.target[opening]] = opening
        statistics.opened_at[self._reports.target[opening]] = self._reports.hours[opening]

    def _find_worst(self, batch: NDArray[np.intp]) -> None:
        """Reason and severity of the most severe report, of equal ones of the newest."""
        in_order = batch[np.argsort(self._severity[batch], kind="stable")]
        target = self._reports.target[in_order]
        worst = in_order[self._severity[in_order] >= self.statistics.severity[target]]
        self.statistics.severity[self._reports.target[worst]] = self._severity[worst]
        self.statistics.reason[self._reports.target[worst]] = self._reports.reason[worst]

    def _hear_voices(self, batch: NDArray[np.intp], records: NDArray[np.float64]) -> None:
        """Add each voice once, by the most of each number: what is said again adds what it exceeds."""
        voices, position = np.unique(self._voice[self._pair[batch]], return_inverse=True)
        target = self.pair_target[voices]
        known = self._voice_in[voices] == self.generation[target]
        before, record_before = self._voice_log_odds[voices], self._voice_record[voices]
        after = np.where(known, before, NEVER)
        record = np.where(known, record_before, NEVER)
        np.maximum.at(after, position, self._scored.log_odds[batch])
        np.maximum.at(record, position, _round_for_sums(records))
        statistics = self.statistics
        np.maximum.at(statistics.max_log_odds, target, after)
        np.add.at(statistics.n_reporters, target, ~known)
        for sums, new, old in (
            (statistics.sum_weight, self._weigh(after), self._weigh(before)),
            (statistics.sum_record, record, record_before),
            (statistics.innocence, -np.logaddexp(0, after), -np.logaddexp(0, before)),
        ):
            np.add.at(sums, target, new - np.where(known, old, 0))
        self._voice_log_odds[voices], self._voice_record[voices] = after, record
        self._voice_in[voices] = self.generation[target]

    def _weigh(self, log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
        return _round_for_sums(log_odds - self._scored.base_log_odds)


def _round_for_sums(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """What `triage.case.round_for_sums` gives for each."""
    rounded: NDArray[np.float64] = values + GRID - GRID
    return rounded


def _gather(starts: NDArray[np.intp], members: NDArray[np.intp]) -> NDArray[np.intp]:
    """All positions from where each member starts to where the next one does."""
    sizes = starts[members + 1] - starts[members]
    skipped = np.repeat(starts[members] - (np.cumsum(sizes) - sizes), sizes)
    gathered: NDArray[np.intp] = np.arange(sizes.sum()) + skipped
    return gathered
