"""Cases while a history is played: one open case a target, its statistics kept up to date by batches."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from flagrank.simulation.history import History
from flagrank.simulation.reasons import REASONS
from flagrank.triage.policy import Policy

NEVER = -np.inf


@dataclass(frozen=True, slots=True)
class CaseStatistics:
    """What a ranking may read of each case: columns of equal length, one value a case, times in hours.

    A voice is one of the different reporters of a case; all reports without a reporter are one. l is the
    log-odds of a report's score, l0 that of the share of actionable reports in the model's training data.
    """

    target: NDArray[np.intp]
    """Its position in the history: for an oracle only."""
    is_profile: NDArray[np.bool_]
    opened_at: NDArray[np.float64]
    last_at: NDArray[np.float64]
    reports: NDArray[np.float64]
    voices: NDArray[np.float64]
    highest: NDArray[np.float64]
    """max l."""
    evidence: NDArray[np.float64]
    """Sum of l - l0 over the voices, each by its highest l."""
    innocence: NDArray[np.float64]
    """Sum of ln(1 - p) over the voices, each by its highest p."""
    record: NDArray[np.float64]
    """Sum of the voices' records at the time of their first report on it."""
    severity: NDArray[np.float64]
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

    def __init__(self, history: History, log_odds: NDArray[np.float64], policy: Policy, prior: float) -> None:
        reports, count = history.reports, len(history.targets)
        self._log_odds = log_odds
        self._prior = prior
        self._reports = reports
        by_reason = np.array([policy.severity_of(reason) for reason in REASONS])
        self._severity = by_reason[reports.reason]
        keys = reports.target * (len(history.reporters) + 1) + (reports.reporter + 1)
        self._pairs, self._pair = np.unique(keys, return_inverse=True)
        self.pair_target = self._pairs // (len(history.reporters) + 1)
        self.pair_reporter = self._pairs % (len(history.reporters) + 1) - 1
        self.pair_reason = np.zeros(len(self._pairs), dtype=np.intp)
        self._pair_best = np.zeros(len(self._pairs))
        self._pair_case = np.full(len(self._pairs), -1)
        self._pair_starts = np.searchsorted(self.pair_target, np.arange(count + 1))
        self.generation = np.zeros(count, dtype=np.intp)
        self.is_open = np.zeros(count, dtype=np.bool_)
        zeros = np.zeros(count)
        self.statistics = CaseStatistics(
            target=np.arange(count),
            is_profile=history.targets.is_profile,
            **{
                field.name: zeros.copy()
                for field in fields(CaseStatistics)
                if field.name not in {"target", "is_profile"}
            },
        )

    def add(self, batch: NDArray[np.intp], records: NDArray[np.float64]) -> NDArray[np.intp]:
        """Take in reports, with the record of each one's reporter; the targets whose cases changed."""
        target = self._reports.target[batch]
        touched = np.unique(target)
        self._open(touched[~self.is_open[touched]], target, self._reports.hours[batch])
        statistics = self.statistics
        np.add.at(statistics.reports, target, 1)
        np.maximum.at(statistics.severity, target, self._severity[batch])
        statistics.last_at[target] = self._reports.hours[batch]
        statistics.exposure[target] = self._reports.exposure[batch]
        self._hear_voices(batch, records)
        return touched

    def close(self, targets: NDArray[np.intp]) -> NDArray[np.intp]:
        """Close the cases of these targets; the pairs of reporter and target that were their voices."""
        starts, ends = self._pair_starts[targets], self._pair_starts[targets + 1]
        spans = [np.arange(start, end) for start, end in zip(starts, ends, strict=True)]
        pairs = np.concatenate(spans) if spans else np.zeros(0, dtype=np.intp)
        voices: NDArray[np.intp] = pairs[self._pair_case[pairs] == self.generation[self.pair_target[pairs]]]
        self.is_open[targets] = False
        self.generation[targets] += 1
        return voices

    def _open(self, new: NDArray[np.intp], target: NDArray[np.intp], hours: NDArray[np.float64]) -> None:
        statistics = self.statistics
        self.is_open[new] = True
        for column in (
            statistics.reports,
            statistics.voices,
            statistics.evidence,
            statistics.innocence,
            statistics.record,
            statistics.severity,
        ):
            column[new] = 0
        statistics.highest[new] = NEVER
        # Backwards, so that the earliest of several reports is the one that stays.
        is_new = np.zeros(len(self.is_open), dtype=np.bool_)
        is_new[new] = True
        opening = is_new[target]
        statistics.opened_at[target[opening][::-1]] = hours[opening][::-1]

    def _hear_voices(self, batch: NDArray[np.intp], records: NDArray[np.float64]) -> None:
        """Add each voice once, by its highest score: a repeated report adds what it exceeds the last by."""
        pairs, first, position = np.unique(self._pair[batch], return_index=True, return_inverse=True)
        best = np.full(len(pairs), NEVER)
        np.maximum.at(best, position, self._log_odds[batch])
        target = self.pair_target[pairs]
        is_new = self._pair_case[pairs] != self.generation[target]
        before = np.where(is_new, self._prior, self._pair_best[pairs])
        after = np.where(is_new, best, np.maximum(before, best))
        statistics = self.statistics
        np.maximum.at(statistics.highest, target, best)
        np.add.at(statistics.voices, target, is_new)
        np.add.at(statistics.evidence, target, after - before)
        np.add.at(
            statistics.innocence,
            target,
            np.where(is_new, 0, np.logaddexp(0, before)) - np.logaddexp(0, after),
        )
        np.add.at(statistics.record, target, np.where(is_new, records[first], 0))
        self._pair_best[pairs] = after
        self._pair_case[pairs] = self.generation[target]
        self.pair_reason[self._pair[batch]] = self._reports.reason[batch]
