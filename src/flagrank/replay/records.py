"""Reporters' records while a history is played: `triage.reporter_record`, for many at once."""

from collections import deque
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from flagrank.simulation.reasons import REASONS
from flagrank.triage.policy import FALLBACK_REASON, ReporterRules

_FALLBACK = REASONS.index(FALLBACK_REASON)
_NULL = REASONS.index(None)


class DecidedCases(NamedTuple):
    """Cases decided at one time: reason and outcome of each, and of each reporter who was on one."""

    hours: float
    reason: NDArray[np.intp]
    is_actioned: NDArray[np.bool_]
    reporter: NDArray[np.intp]
    reporter_reason: NDArray[np.intp]
    reporter_actioned: NDArray[np.bool_]


class Records:
    """The decided cases of the window, as sums that lose weight with time."""

    def __init__(self, reporters: int, rules: ReporterRules) -> None:
        self._rules = rules
        self._decided = np.zeros((reporters, len(REASONS)))
        self._actioned = np.zeros((reporters, len(REASONS)))
        self._decisions = np.zeros(len(REASONS))
        self._actions = np.zeros(len(REASONS))
        self._window: deque[DecidedCases] = deque()
        self._hours = 0.0

    def look_up(
        self, reporter: NDArray[np.intp], reason: NDArray[np.intp], hours: float
    ) -> NDArray[np.float64]:
        """The record of each reporter with each reason at `hours`, no earlier than before; 0 without one."""
        self._age(hours)
        rules, reason = self._rules, _known(reason)
        prior = rules.prior_decisions
        shares = (prior * rules.prior_share + self._actions) / (prior + self._decisions)
        decided, actioned = self._decided[reporter, reason], self._actioned[reporter, reason]
        record = np.log((rules.prior_cases + actioned / shares[reason]) / (rules.prior_cases + decided))
        return np.where(reporter < 0, 0.0, record)

    def add(self, cases: DecidedCases) -> None:
        """Remember what became of cases, later than those before."""
        self._age(cases.hours)
        self._window.append(cases)
        self._count(cases, 1)

    def _age(self, hours: float) -> None:
        weight = self._weigh(hours - self._hours)
        self._decided *= weight
        self._actioned *= weight
        self._hours = hours
        while self._window and hours - self._window[0].hours > 24 * self._rules.window_days:
            self._count(self._window.popleft(), -1)

    def _count(self, cases: DecidedCases, sign: int) -> None:
        np.add.at(self._decisions, _known(cases.reason), sign)
        np.add.at(self._actions, _known(cases.reason), sign * cases.is_actioned)
        named = cases.reporter >= 0
        weight = sign * self._weigh(self._hours - cases.hours)
        where = (cases.reporter[named], _known(cases.reporter_reason[named]))
        np.add.at(self._decided, where, weight)
        np.add.at(self._actioned, where, weight * cases.reporter_actioned[named])

    def _weigh(self, age_hours: float) -> float:
        return float(2.0 ** -(age_hours / (24 * self._rules.half_life_days)))


def _known(reason: NDArray[np.intp]) -> NDArray[np.intp]:
    return np.where(reason == _NULL, _FALLBACK, reason)
