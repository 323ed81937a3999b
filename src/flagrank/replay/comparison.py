"""Plays one history through every ranking that a team might use, from the clock to perfect knowledge."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

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
    """One line of a comparison: how a ranking did with the scores of a model at a capacity.

    `capacity_share` is the share of the targets that so many decisions are enough for.
    """

    model: str
    decisions_per_hour: float
    capacity_share: float
    ranking: str
    outcome: Outcome


def list_entries(scored: ScoredHistory, policy: Policy) -> list[Entry]:
    """Every ranking to compare; where they say nothing else, all decisions go by priority."""
    ours = rankings.expected_harm(policy)
    return [
        Entry("first in, first out", rankings.first_in_first_out),
        Entry("report count", rankings.report_count),
        Entry("weighted sum", rankings.weighted_sum(policy)),
        Entry("score", rankings.highest_score),
        Entry("1 - prod(1 - p) x severity", rankings.noisy_or_severity),
        Entry("1 - prod(1 - p) x severity x reach", rankings.noisy_or_harm(policy)),
        Entry("expected harm", ours),
        Entry("expected harm, exposure never sent", ours, exposure_is_sent=False),
        Entry("expected harm, with draws", ours, with_draws=True),
        Entry("knowing the truth", rankings.oracle(scored.history)),
    ]


def compare(model: str, scored: ScoredHistory, policy: Policy, decisions_per_hour: float) -> Iterator[Line]:
    """Play every ranking with the same arrivals, scores, moderators' errors and capacity."""
    history = scored.history
    share = decisions_per_hour * history.hours / len(history.targets)
    terms = Terms(policy, decisions_per_hour)
    for entry in list_entries(scored, policy):
        under = replace(terms, exposure_is_sent=entry.exposure_is_sent, with_draws=entry.with_draws)
        yield Line(model, decisions_per_hour, share, entry.name, play(scored, entry.ranking, under))


def list_rows(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """The lines as plain values under names that docs/reference/history.md explains; None for no value."""
    return [
        {
            "model": line.model,
            "decisions_per_hour": line.decisions_per_hour,
            "capacity_share": line.capacity_share,
            "ranking": line.ranking,
            "harm_averted": _known(line.outcome.harm_averted),
            "bad_never_seen": _known(line.outcome.bad_never_seen),
            "wait_p50_hours": _known(line.outcome.wait_of_bad(0.5)),
            "wait_p95_hours": _known(line.outcome.wait_of_bad(0.95)),
            "cases": line.outcome.n_cases,
            "decisions": len(line.outcome.decisions.hours),
        }
        for line in lines
    ]


def _known(value: float) -> float | None:
    return value if value == value else None  # noqa: PLR0124 - NaN is no value
