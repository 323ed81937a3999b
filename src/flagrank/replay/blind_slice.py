"""Plays the queue by its own draw rules, to see whether the blind slice tells the truth."""

import heapq
import random
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np

from flagrank.triage.draws import choose_blind_share, plan_draws
from flagrank.triage.estimates import Floor, SliceCase, SliceEstimates, estimate_from_slice
from flagrank.triage.policy import DrawShares
from flagrank.triage.review import LeaseDraw

_STEP_HOURS = 0.25
_DAY_STEPS = 96
_WEEK_STEPS = 7 * _DAY_STEPS
_WEEK_HOURS = 168.0
_LEASE_CASES = 10
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_POWER = 0.7
# Of severity: how often, and the hours until the first review is due.
_SEVERITIES = np.array([1.0, 2.0, 4.0, 12.0, 25.0])
_SEVERITY_SHARES = np.array([0.4, 0.3, 0.2, 0.08, 0.02])
_DUE_HOURS = np.array([72.0, 72.0, 24.0, 4.0, 1.0])
_PRIOR = (0.36, 2.64)  # of a case's chance, a beta distribution: .12 on average


@dataclass(slots=True)
class PlayedCase:
    """A case, its truth, and what became of it; `draw` is None while it waits."""

    arrived_at: float  # in hours
    is_actionable: bool
    priority: float
    inclusion: float
    is_blind: bool
    draw: LeaseDraw | None = None
    is_decided: bool = False


@dataclass(frozen=True, slots=True)
class PlayedWeek:
    """What the slice says of the last week that it knows whole, and the truth about all cases of it."""

    estimates: SliceEstimates
    prevalence: float
    precision: float
    recall: float
    uniform_prevalence: float
    """What as many cases say that are drawn at random from those that wait at the end: NaN where none do."""


def play_week(seed: int, load: float, n_cases: int, shares: DrawShares) -> PlayedWeek:
    """Let `n_cases` cases a week come in, `load` times what moderators can decide; a `seed` fixes it all.

    The week before the one told of fills the queue. Nobody errs, and cases keep their priority.
    """
    queue = _Queue(random.Random(seed), shares)  # noqa: S311 - the same week for the same seed
    steps = 2 * _WEEK_STEPS
    arrivals = _draw_arrivals(np.random.default_rng(seed), steps, n_cases)
    a_step = n_cases / load / _WEEK_STEPS
    for step in range(steps):
        queue.take_in(next(arrivals))
        queue.review(int(a_step * (step + 1)) - int(a_step * step))
    return queue.measure()


def _draw_arrivals(
    generator: np.random.Generator, steps: int, n_cases: int
) -> Iterator[list[tuple[float, bool, float, float]]]:
    """What comes in each step: (moment within it, truth, priority, hours until due), more of it by day."""
    of_day = np.arange(steps) % _DAY_STEPS / _DAY_STEPS
    counts = generator.poisson(n_cases / _WEEK_STEPS * (1 + 0.5 * np.sin(2 * np.pi * of_day)))
    for count in counts:
        chance = generator.beta(*_PRIOR, count)
        severity = generator.choice(len(_SEVERITIES), count, p=_SEVERITY_SHARES)
        exposure = np.exp(3 + 1.5 * generator.standard_normal(count))
        yield list(
            zip(
                np.sort(generator.random(count)).tolist(),
                (generator.random(count) < chance).tolist(),
                (chance * _SEVERITIES[severity] * (1 + exposure) ** _POWER).tolist(),
                _DUE_HOURS[severity].tolist(),
                strict=True,
            )
        )


@dataclass(slots=True)
class _Queue:
    """The state of the queue, in steps of a quarter of an hour."""

    chance: random.Random
    shares: DrawShares
    now: float = 0.0
    cases: list[PlayedCase] = field(default_factory=list)
    arrived: deque[int] = field(default_factory=lambda: deque(maxlen=_DAY_STEPS))
    decided: deque[int] = field(default_factory=lambda: deque(maxlen=_DAY_STEPS))
    by_priority: list[tuple[float, int]] = field(default_factory=list)
    by_deadline: list[tuple[float, int]] = field(default_factory=list)
    blind: deque[int] = field(default_factory=deque)
    held: list[PlayedCase] = field(default_factory=list)
    leases: list[tuple[float, float]] = field(default_factory=list)

    def take_in(self, arrivals: Sequence[tuple[float, bool, float, float]]) -> None:
        """Open a case for each, and mark some."""
        inclusion = choose_blind_share(self.shares.blind_share, sum(self.arrived), sum(self.decided))
        for moment, is_actionable, priority, hours in arrivals:
            number = len(self.cases)
            at = self.now + moment * _STEP_HOURS
            is_blind = self.chance.random() < inclusion
            self.cases.append(PlayedCase(at, is_actionable, priority, inclusion, is_blind))
            heapq.heappush(self.by_priority, (-priority, number))
            heapq.heappush(self.by_deadline, (at + hours, number))
            if is_blind:
                self.blind.append(number)
        self.arrived.append(len(arrivals))

    def review(self, n_cases: int) -> None:
        """Decide what is held, and lease so many more, as moderators do that ask for ten at a time."""
        for case in self.held:
            case.is_decided = True
        self.decided.append(len(self.held))
        self.held = []
        self.now += _STEP_HOURS
        for asked in [_LEASE_CASES] * (n_cases // _LEASE_CASES) + [n_cases % _LEASE_CASES]:
            plan = plan_draws(asked, self.shares, self.chance)
            by_deadline = self._draw(LeaseDraw.DEADLINE, _pop_heap(self.by_deadline), plan.by_deadline)
            blind = self._draw(LeaseDraw.BLIND, _pop_queue(self.blind), plan.blind)
            rest = asked - by_deadline - blind
            self._draw(LeaseDraw.PRIORITY, _pop_heap(self.by_priority), rest)

    def _draw(self, draw: LeaseDraw, waiting: Iterable[int], most: int) -> int:
        drawn = 0
        if most > 0:
            for number in waiting:
                case = self.cases[number]
                if case.draw is None:
                    case.draw = draw
                    self.held.append(case)
                    if draw is LeaseDraw.PRIORITY:
                        self.leases.append((self.now, case.priority))
                    drawn += 1
                    if drawn == most:
                        break
        return drawn

    def measure(self) -> PlayedWeek:
        """Ask the slice about the week that ends with the oldest marked case which is not decided."""
        marked = [case for case in self.cases if case.is_blind]
        end = next((case.arrived_at for case in marked if not case.is_decided), self.now)
        week = _between(self.cases, end - _WEEK_HOURS, end)
        estimates = estimate_from_slice(
            [
                SliceCase(_moment(case.arrived_at), case.inclusion, case.priority, case.is_actionable)
                for case in week
                if case.is_blind
            ],
            _find_floors(self.leases),
        )
        # Where no draw but that by priority is looked at: what it would have reached stays out of it.
        ranked = [case for case in week if case.draw in {LeaseDraw.PRIORITY, None}]
        reached = [case for case in ranked if case.draw is LeaseDraw.PRIORITY]
        waiting = [case for case in self.cases if case.draw is None]
        sample = self.chance.sample(waiting, min(len(waiting), len(marked)))
        return PlayedWeek(
            estimates=estimates,
            prevalence=_share(case.is_actionable for case in week),
            precision=_share(case.is_actionable for case in reached),
            recall=_share(case.draw is LeaseDraw.PRIORITY for case in ranked if case.is_actionable),
            uniform_prevalence=_share(case.is_actionable for case in sample),
        )


def _find_floors(leases: Iterable[tuple[float, float]]) -> list[Floor]:
    """Those of the leases, in order of time, that went lower than every one after them."""
    floors: list[tuple[float, float]] = []
    for at, priority in leases:
        while floors and floors[-1][1] >= priority:
            floors.pop()
        floors.append((at, priority))
    return [Floor(_moment(at), priority) for at, priority in floors]


def _moment(hours: float) -> datetime:
    return _BEGIN + timedelta(hours=hours)


def _pop_heap(heap: list[tuple[float, int]]) -> Iterator[int]:
    while heap:
        yield heapq.heappop(heap)[1]


def _pop_queue(waiting: deque[int]) -> Iterator[int]:
    while waiting:
        yield waiting.popleft()


def _between(cases: Sequence[PlayedCase], begin: float, end: float) -> Sequence[PlayedCase]:
    first, last = (bisect_left(cases, at, key=lambda case: case.arrived_at) for at in (begin, end))
    return cases[first:last]


def _share(among: Iterable[bool]) -> float:
    seen = list(among)
    return sum(seen) / len(seen) if seen else float("nan")
