"""Plays one history through every ranking that a team might use, from the clock to perfect knowledge."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from flagrank.replay import rankings
from flagrank.replay.engine import Outcome, Terms, play
from flagrank.replay.scored_history import ScoredHistory
from flagrank.triage.policy import Policy


@dataclass(frozen=True, slots=True)
class Entry:
    """A ranking of a comparison: what it is called, and what is different about its terms."""

    name: str
    ranking: rankings.Ranking
    exposure_is_sent: bool = True
    with_draws: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a comparison."""

    ranking: str
    outcome: Outcome


def list_entries(scored: ScoredHistory, policy: Policy) -> list[Entry]:
    """Every ranking to compare; all but the last but one take every decision by priority."""
    ours = rankings.expected_harm(policy)
    return [
        Entry("first in, first out", rankings.first_in_first_out),
        Entry("report count", rankings.report_count),
        Entry("weighted sum", rankings.weighted_sum(policy)),
        Entry("score", rankings.highest_score),
        Entry("1 - prod(1 - p) x severity", rankings.noisy_or_severity),
        Entry("1 - prod(1 - p) x severity x reach", rankings.noisy_or_harm(policy)),
        Entry("expected harm, exposure never sent", ours, exposure_is_sent=False),
        Entry("expected harm", ours),
        Entry("expected harm with draws", ours, with_draws=True),
        Entry("knowing the truth", rankings.oracle(scored.history)),
    ]


def compare(scored: ScoredHistory, policy: Policy, decisions_per_hour: float) -> Iterator[Line]:
    """Play every ranking with the same arrivals, scores, moderators' errors and capacity."""
    terms = Terms(policy, decisions_per_hour)
    for entry in list_entries(scored, policy):
        under = replace(terms, exposure_is_sent=entry.exposure_is_sent, with_draws=entry.with_draws)
        yield Line(entry.name, play(scored, entry.ranking, under))
