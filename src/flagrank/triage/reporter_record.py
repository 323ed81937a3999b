"""The reporter's record: what became of the cases that a reporter was on, as a share of a case's log-odds."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from math import log

import msgspec

from flagrank.triage.policy import ReporterRules


class Outcome(msgspec.Struct, frozen=True):
    """How a case of one reason ended that the reporter was on; a reversed decision counts as reversed."""

    decided_at: datetime
    is_actioned: bool


class Tally(msgspec.Struct, frozen=True):
    """A reporter's decided cases of one reason, each weighing less with age, and those actioned of them."""

    decided: float
    actioned: float


def weigh_outcomes(outcomes: Iterable[Outcome], now: datetime, rules: ReporterRules) -> Tally:
    """The sum of w and of w y: w = 2^(-age / half-life) within the window, y = 1 where actioned."""
    window = timedelta(days=rules.window_days)
    half_life = timedelta(days=rules.half_life_days)
    decided = actioned = 0.0
    for outcome in outcomes:
        age = max(now - outcome.decided_at, timedelta(0))  # the clocks of two servers may differ
        if age <= window:
            weight = 2.0 ** -(age / half_life)
            decided += weight
            actioned += weight * outcome.is_actioned
    return Tally(decided, actioned)


def age_tally(tally: Tally, elapsed: timedelta, rules: ReporterRules) -> Tally:
    """The same outcomes so much later, while none of them leaves the window."""
    weight = 2.0 ** -(max(elapsed, timedelta(0)) / timedelta(days=rules.half_life_days))
    return Tally(tally.decided * weight, tally.actioned * weight)


def shrink_share(actioned: int, decided: int, rules: ReporterRules) -> float:
    """The share actioned of all cases of one reason decided in the window, shrunk to the prior share.

    The mean of a beta distribution (Gelman et al., Bayesian Data Analysis, 2.4), the prior worth
    `prior_decisions`.
    """
    return (rules.prior_decisions * rules.prior_share + actioned) / (rules.prior_decisions + decided)


def compute_record(tally: Tally, share: float, rules: ReporterRules) -> float:
    """ln((s share + actioned) / (s + decided)) - ln share, s = `prior_cases`; 0 without decided cases.

    How many times as often as usual, of its reason, this reporter's cases were actioned, shrunk to as often.
    """
    # Divided by the share before the logarithm, it is exactly 0 without decided cases.
    return log((rules.prior_cases + tally.actioned / share) / (rules.prior_cases + tally.decided))
