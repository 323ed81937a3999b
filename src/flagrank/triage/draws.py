"""Which of a moderator's cases are drawn by deadline, which from the blind slice, the rest by priority."""

import random
from math import floor

import msgspec

from flagrank.triage.policy import DrawShares


class DrawPlan(msgspec.Struct, frozen=True):
    """How many cases to draw in these ways; the rest goes by priority."""

    by_deadline: int
    blind: int


def plan_draws(n_cases: int, shares: DrawShares, chance: random.Random) -> DrawPlan:
    """Divide a lease of so many cases; rounded at random, so that shares hold on average."""
    by_deadline = round_at_random(n_cases * shares.deadline_share, chance)
    blind = min(round_at_random(n_cases * shares.blind_share, chance), n_cases - by_deadline)
    return DrawPlan(by_deadline, blind)


def round_at_random(expected: float, chance: random.Random) -> int:
    """One of the two whole numbers beside it, such that the mean is the number itself."""
    whole = floor(expected)
    return whole + (chance.random() < expected - whole)


def choose_blind_share(most: float, n_arrived: int, n_decided: int) -> float:
    """With which probability a new case is marked for the blind slice.

    At most `most`, and no more than can be reviewed: that share of all reviews, while cases come in as they
    did in the time counted. Where nothing was counted yet, `most`.
    """
    return most if n_arrived == 0 else min(most, most * n_decided / n_arrived)
