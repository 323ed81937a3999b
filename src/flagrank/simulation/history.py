"""A history of reports on many targets, with its truth: what rankings of the review queue are measured on."""

from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from flagrank.simulation.reasons import REASONS, choose_reasons
from flagrank.simulation.reporters import Reporters, draw_reporters
from flagrank.simulation.targets import Repute, Targets, draw_targets

ANONYMOUS = -1
"""The reporter of a report without reporter_id."""

_REPORTS_A_TARGET = 0.14  # of all targets, of which most are never reported; a little less than comes
_REPORTS_A_REPORTER = 6
_BRIGADE_SHARE = 0.05
_REPORTS_A_BRIGADE = 200


@dataclass(frozen=True, slots=True)
class Reports:
    """Columns of equal length, one value a report, oldest first."""

    target: NDArray[np.intp]
    reporter: NDArray[np.intp]
    """A position in the reporters, or `ANONYMOUS`."""
    hours: NDArray[np.float64]
    """When it was sent, since the history's start."""
    reason: NDArray[np.intp]
    """A position in `REASONS`."""
    exposure: NDArray[np.float64]
    """What the application believes about further views, right to a factor of about 1.6; NaN if unsent."""
    in_brigade: NDArray[np.bool_]
    """Whether it is part of an attack."""

    def __len__(self) -> int:
        """How many there are."""
        return len(self.target)

    def take(self, members: NDArray[np.intp]) -> Self:
        """The reports at these positions."""
        return type(self)(*(getattr(self, field.name)[members] for field in fields(self)))


@dataclass(frozen=True, slots=True)
class History:
    """Reports and the truth on their targets; `reports.target` holds positions in `targets`.

    Each target has at least one report. Of the reporters nothing is known but how many there are.
    """

    hours: float
    reports: Reports
    targets: Targets
    n_reporters: int


@dataclass(frozen=True, slots=True)
class World:
    """A history and what brought it about."""

    history: History
    repute: Repute
    reporters: Reporters


def draw_history(reports: int, seed: int = 0, days: float = 7.0) -> History:
    """Draw a history of `reports` reports (>= 1) over `days` days (> 0); a `seed` (>= 0) fixes everything.

    A hundred thousand take a second.
    """
    return draw_world(reports, seed, days).history


def draw_world(reports: int, seed: int, days: float) -> World:
    """Draw such a history with what brought it about.

    Whether a target is bad comes first, then who sees it, then who of them reports it: no score, severity of
    a policy or rule of ranking has a part in it.
    """
    scale = 1.0
    while True:
        streams = _Streams(seed)
        targets, repute = draw_targets(streams.stream(0), 50 + int(scale * reports / _REPORTS_A_TARGET), days)
        brigades = max(1, int(reports * _BRIGADE_SHARE / _REPORTS_A_BRIGADE))
        people = draw_reporters(streams.stream(1), 20 + reports // _REPORTS_A_REPORTER, brigades)
        alone = _draw_lone_reports(streams.stream(2), targets, repute, people)
        in_attacks = round(_BRIGADE_SHARE * reports)
        attacks = _draw_attacks(streams.stream(3), targets, people, in_attacks)
        lone, attacking = (np.flatnonzero(each.hours < 24 * days) for each in (alone, attacks))
        attacking = attacking[:in_attacks]
        if len(lone) + len(attacking) >= reports:
            break
        scale *= 1.5
    # Reports are left out at random, which keeps a Poisson process one: the last ones would shorten the time.
    lone = streams.stream(4).permutation(lone)[: reports - len(attacking)]
    everything = _join(alone.take(lone), attacks.take(attacking))
    in_time = everything.take(np.argsort(everything.hours, kind="stable"))
    members, position = np.unique(in_time.target, return_inverse=True)
    history = History(24 * days, replace(in_time, target=position), targets.take(members), len(people))
    return World(history, repute.take(members), people)


@dataclass(frozen=True, slots=True)
class _Streams:
    seed: int

    def stream(self, purpose: int) -> np.random.Generator:
        """A generator for one purpose, apart from those of synthetic reports by the length of its key."""
        return np.random.Generator(
            np.random.PCG64(np.random.SeedSequence(self.seed, spawn_key=(2, purpose, 0)))
        )


def _join(first: Reports, second: Reports) -> Reports:
    return Reports(
        *(
            np.concatenate([getattr(first, field.name), getattr(second, field.name)])
            for field in fields(Reports)
        )
    )


def _draw_lone_reports(
    generator: np.random.Generator, targets: Targets, repute: Repute, people: Reporters
) -> Reports:
    """Let those who see a target report it, and those who fell out with it; both die away."""
    burst_at = np.where(np.isinf(targets.burst_at), 0, targets.burst_at)
    waves = (
        (targets.visible_at, targets.views * repute.report_chance + repute.quarrels),
        (burst_at, targets.burst_views * repute.report_chance),
    )
    members, begins = [], []
    for begin, expected in waves:
        counts = generator.poisson(expected)
        members.append(np.repeat(np.arange(len(targets)), counts))
        begins.append(np.repeat(begin, counts))
    target = np.concatenate(members)
    count = len(target)
    hours = np.concatenate(begins) + targets.life_hours[target] * generator.standard_exponential(count)
    on_bad = targets.is_bad[target]
    reporter = people.choose(generator, on_bad)
    understood, other_reason, anonymous = generator.random((3, count))
    stated = choose_reasons(other_reason, targets.is_profile[target])
    # Half of the reports on innocents agree with each other: it is taken for one thing.
    is_category = understood < np.where(on_bad, 0.75, 0.5)
    return Reports(
        target=target,
        reporter=np.where(anonymous < 0.12, ANONYMOUS, reporter),
        hours=hours,
        reason=np.where(is_category, repute.category[target], stated),
        exposure=_believe(generator, targets, target, hours),
        in_brigade=np.zeros(count, dtype=np.bool_),
    )


def _draw_attacks(
    generator: np.random.Generator, targets: Targets, people: Reporters, reports: int
) -> Reports:
    """Let brigades attack innocents, several each, within an hour, under a grave reason: over `reports`."""
    innocents = np.flatnonzero(~targets.is_bad)
    grave = [REASONS.index(reason) for reason in ("harassment", "scam", "hate", "threat", "minor_safety")]
    groups = [np.flatnonzero(people.brigade == number) for number in range(people.brigade.max() + 1)]
    target, reporter, hours, reason = [], [], [], []
    sent = 0
    while sent <= reports:  # at least one, of which a tiny history may keep nothing
        members = groups[generator.integers(len(groups))]
        joining = generator.permutation(members)[: max(5, int(len(members) * generator.uniform(0.3, 0.9)))]
        victim = innocents[generator.integers(len(innocents))]
        start = targets.visible_at[victim] + targets.life_hours[victim] * generator.standard_exponential()
        target.append(np.full(len(joining), victim))
        reporter.append(joining)
        hours.append(start + generator.uniform(0.1, 1.0) * generator.random(len(joining)))
        reason.append(np.full(len(joining), grave[generator.integers(len(grave))]))
        sent += len(joining)
    victims, times = np.concatenate(target), np.concatenate(hours)
    return Reports(
        target=victims,
        reporter=np.concatenate(reporter),
        hours=times,
        reason=np.concatenate(reason),
        exposure=_believe(generator, targets, victims, times),
        in_brigade=np.ones(len(victims), dtype=np.bool_),
    )


def _believe(
    generator: np.random.Generator, targets: Targets, target: NDArray[np.intp], hours: NDArray[np.float64]
) -> NDArray[np.float64]:
    wrong_by = np.exp(0.5 * generator.standard_normal(len(target)))
    return np.round(targets.foreseen_views(target, hours) * wrong_by, 1)
