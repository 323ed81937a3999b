"""The messages and profiles of a history: which are bad, who sees them, and what harm that does."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from flagrank.simulation.arrivals import END, draw_times
from flagrank.simulation.reasons import REASONS, choose_reasons
from flagrank.simulation.truth import MISSED_BAD, PUNISHED_INNOCENT

BAD_SHARE = 0.0135
"""Of everything that may be reported; most innocents never are: about an eighth of the cases is bad."""

# What a view of bad content does, in views of spam: like the policy's severities a judgement.
_HARM = np.array([1.0, 2.0, 2.0, 4.0, 5.0, 6.0, 12.0, 12.0, 25.0])
_RAIDS_A_DAY = 0.5
_RAID_SHARE = 0.1
_BURST_SHARE = 0.03


@dataclass(frozen=True, slots=True)
class Targets:
    """Columns of equal length, one value a target; times in hours since the history's start.

    Views come in a first wave that begins when the target becomes visible, and for a few in a second one:
    each dies away exponentially with the same mean life. Truth stands here only.
    """

    is_profile: NDArray[np.bool_]
    is_bad: NDArray[np.bool_]
    looks_bad: NDArray[np.bool_]
    """To the moderator who reviews it first; later ones see what it is."""
    harm_per_view: NDArray[np.float64]
    """0 for an innocent."""
    visible_at: NDArray[np.float64]
    views: NDArray[np.float64]
    life_hours: NDArray[np.float64]
    burst_at: NDArray[np.float64]
    """Infinite where no second wave comes."""
    burst_views: NDArray[np.float64]

    def __len__(self) -> int:
        """How many there are."""
        return len(self.is_bad)

    def take(self, members: NDArray[np.intp]) -> "Targets":
        """The targets at these positions."""
        return Targets(*(getattr(self, field.name)[members] for field in fields(self)))

    def views_ahead(self, target: NDArray[np.intp], hours: NDArray[np.float64]) -> NDArray[np.float64]:
        """How many times each target would still be seen after `hours`, a second wave to come included."""
        return self.foreseen_views(target, hours) + np.where(
            hours < self.burst_at[target], self.burst_views[target], 0.0
        )

    def foreseen_views(self, target: NDArray[np.intp], hours: NDArray[np.float64]) -> NDArray[np.float64]:
        """The same without a second wave that has not begun: nobody can foresee it."""
        life = self.life_hours[target]
        first = np.exp(-np.maximum(hours - self.visible_at[target], 0.0) / life)
        burst_at = self.burst_at[target]
        since_burst = np.where(hours >= burst_at, hours - np.where(np.isinf(burst_at), 0, burst_at), np.inf)
        ahead: NDArray[np.float64] = self.views[target] * first + self.burst_views[target] * np.exp(
            -since_burst / life
        )
        return ahead

    def harm_ahead(self, target: NDArray[np.intp], hours: NDArray[np.float64]) -> NDArray[np.float64]:
        """The harm that acting on each target at `hours` averts: what its views from then on would do."""
        return self.harm_per_view[target] * self.views_ahead(target, hours)


@dataclass(frozen=True, slots=True)
class Repute:
    """What makes people report targets: columns of equal length, one value a target."""

    category: NDArray[np.intp]
    """What it does wrong, a position in `REASONS`; for an innocent what it may be taken for."""
    report_chance: NDArray[np.float64]
    """That somebody who sees it reports it."""
    quarrels: NDArray[np.float64]
    """Reports to expect from those who fell out with an innocent, however many see it."""

    def take(self, members: NDArray[np.intp]) -> "Repute":
        """That of the targets at these positions."""
        return Repute(*(getattr(self, field.name)[members] for field in fields(self)))


def draw_targets(generator: np.random.Generator, count: int, days: float) -> tuple[Targets, Repute]:
    """Draw `count` targets that become visible in the `days` days before `END`, in order of time."""
    times = draw_times(generator, count, days)
    visible_at = (times - END).astype(np.float64) / 3_600_000 + 24 * days
    uniform = generator.random((5, count))
    normal = generator.standard_normal((4, count))

    is_profile = uniform[0] < 0.35
    is_bad = uniform[1] < BAD_SHARE
    # The last one, null, is no wrong that can be done.
    category = np.minimum(choose_reasons(uniform[2] * 0.9, is_profile), len(_HARM) - 1)
    in_raid = is_bad & (uniform[3] < _RAID_SHARE)
    raids = generator.uniform(0, 24 * days, max(1, round(_RAIDS_A_DAY * days)))
    raid_at = generator.choice(raids, count) + generator.exponential(0.7, count)
    visible_at = np.where(in_raid, np.minimum(raid_at, 24 * days), visible_at)
    category = np.where(in_raid, np.where(is_profile, REASONS.index("scam"), REASONS.index("spam")), category)

    views = np.exp(np.where(is_profile, 4.2, 3.6) + 1.2 * normal[0])
    # Nothing lives so long that hardly any of its reports falls into the history.
    life_hours = np.minimum(np.where(is_profile, 110.0, 20.0) * np.exp(0.5 * normal[1]), 48 * days)
    has_burst = uniform[4] < _BURST_SHARE
    burst_at = visible_at + life_hours * generator.exponential(1.0, count)
    burst_views = 4 * views * generator.exponential(1.0, count)
    # Some innocents offend many; nothing bad goes quite unnoticed.
    report_chance = np.where(is_bad, 0.035 * np.exp(0.6 * normal[2]), 0.00015 * np.exp(1.2 * normal[2]))
    errs = generator.random(count) < np.where(is_bad, MISSED_BAD, PUNISHED_INNOCENT)
    targets = Targets(
        is_profile=is_profile,
        is_bad=is_bad,
        looks_bad=is_bad ^ errs,
        harm_per_view=np.where(is_bad, _HARM[category] * np.exp(0.5 * normal[3] - 0.125), 0.0),
        visible_at=visible_at,
        views=views,
        life_hours=life_hours,
        burst_at=np.where(has_burst, burst_at, np.inf),
        burst_views=np.where(has_burst, burst_views, 0.0),
    )
    return targets, Repute(
        category=category,
        report_chance=np.minimum(report_chance, 1.0),
        quarrels=np.where(is_bad, 0.0, 0.08 * generator.exponential(1.0, count)),
    )
