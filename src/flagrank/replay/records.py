"""Reporters' records while a history is played: how often moderators agreed with them, reason by reason."""

import numpy as np
from numpy.typing import NDArray

from flagrank.simulation.reasons import REASONS
from flagrank.triage.policy import FALLBACK_REASON

_HALF_LIFE_HOURS = 30 * 24.0
_PRIOR_DECISIONS = 3.0
_USUAL_SHARE = 0.3
_USUAL_DECISIONS = 10.0
_FALLBACK = REASONS.index(FALLBACK_REASON)
_NULL = REASONS.index(None)


class Records:
    """Sums over decided cases of w and w y, w = 2 ^ (-age / 30 days): r = ln(((s m + wy) / (s + w)) / m).

    Weights are kept as of hour 0, growing with the time of the decision, so that nothing needs to be aged.
    Nothing is forgotten: a history is shorter than 90 days.
    """

    def __init__(self, reporters: int) -> None:
        self._decided = np.zeros((reporters, len(REASONS)))
        self._actioned = np.zeros((reporters, len(REASONS)))
        self._decisions = np.zeros(len(REASONS))
        self._actions = np.zeros(len(REASONS))

    def look_up(
        self, reporter: NDArray[np.intp], reason: NDArray[np.intp], hours: float
    ) -> NDArray[np.float64]:
        """The record of each reporter with each reason at `hours`; 0 without a reporter."""
        reason = np.where(reason == _NULL, _FALLBACK, reason)
        usual = ((self._actions + _USUAL_SHARE * _USUAL_DECISIONS) / (self._decisions + _USUAL_DECISIONS))[
            reason
        ]
        aged = 2 ** (-hours / _HALF_LIFE_HOURS)
        decided, actioned = (sums[reporter, reason] * aged for sums in (self._decided, self._actioned))
        record = np.log((_PRIOR_DECISIONS * usual + actioned) / (_PRIOR_DECISIONS + decided)) - np.log(usual)
        return np.where(reporter < 0, 0.0, record)

    def add(
        self,
        reporter: NDArray[np.intp],
        reason: NDArray[np.intp],
        is_actioned: NDArray[np.bool_],
        hours: float,
    ) -> None:
        """Remember, for each voice of the cases decided at `hours`, whether its case was actioned."""
        reason = np.where(reason == _NULL, _FALLBACK, reason)
        np.add.at(self._decisions, reason, 1)
        np.add.at(self._actions, reason, is_actioned)
        known = reporter >= 0
        weight = 2 ** (hours / _HALF_LIFE_HOURS)
        where = (reporter[known], reason[known])
        np.add.at(self._decided, where, weight)
        np.add.at(self._actioned, where, weight * is_actioned[known])
