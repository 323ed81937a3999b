"""A history with the score of each report, and who was found in step when."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from flagrank.simulation.history import ANONYMOUS, History
from flagrank.simulation.scores import draw_log_odds, prior_log_odds
from flagrank.triage.case import LEAST_CHANCE, MOST_CHANCE, to_log_odds
from flagrank.triage.in_step import find_groups
from flagrank.triage.policy import ReporterRules

LOOK_HOURS = 6.0
"""How often reporters in step are looked for."""


@dataclass(frozen=True, slots=True)
class Grouping:
    """The reporters found in step at a time: the number of each one's group (people,), -1 for none."""

    hours: float
    group: NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class ScoredHistory:
    """What is played: `log_odds` are those of each report's score, `base_log_odds` those of the base rate."""

    history: History
    log_odds: NDArray[np.float64]
    base_log_odds: float
    groupings: tuple[Grouping, ...] = field(default=())
    """In order of time."""


def score_by_draw(history: History, roc_auc: float, groupings: tuple[Grouping, ...] = ()) -> ScoredHistory:
    """Let a simulated model of this ROC AUC score it."""
    log_odds = draw_log_odds(history, roc_auc)
    return ScoredHistory(history, log_odds, prior_log_odds(history), groupings)


def score_by_model(
    history: History, scores: NDArray[np.float64], base_rate: float, groupings: tuple[Grouping, ...] = ()
) -> ScoredHistory:
    """Take a model's scores, and the share of actionable reports that it was trained with."""
    chance = np.clip(scores, LEAST_CHANCE, MOST_CHANCE)
    log_odds = np.log(chance / (1 - chance))
    return ScoredHistory(history, log_odds, to_log_odds(base_rate), groupings)


def find_groupings(history: History, rules: ReporterRules) -> Iterator[Grouping]:
    """Look for reporters in step now and then, among all reports until then; some seconds a week.

    A report that is not sent because its target was actioned meanwhile is among them: it would have been
    near the others all the same.
    """
    reports = history.reports
    start = datetime(2026, 1, 1, tzinfo=UTC)
    told = [
        (f"{reporter:09}", str(target), start + timedelta(hours=hours))
        for reporter, target, hours in zip(
            reports.reporter.tolist(), reports.target.tolist(), reports.hours.tolist(), strict=True
        )
        if reporter != ANONYMOUS
    ]
    made_at = reports.hours[reports.reporter != ANONYMOUS]
    for hours in np.arange(LOOK_HOURS, history.hours, LOOK_HOURS).tolist():
        names = find_groups(told[: int(np.searchsorted(made_at, hours))], rules)
        group = np.full(history.n_reporters, -1)
        group[[int(name) for name in names]] = [int(first) for first in names.values()]
        yield Grouping(hours, group)
