"""When synthetic reports arrive: a Poisson process with a daily rhythm."""

import numpy as np
from numpy.typing import NDArray

END = np.datetime64("2026-01-01T00:00:00.000", "ms")
"""Every synthetic report is older than this, UTC: fixed, so that a seed means the same times for ever."""

_DAY_MS = 86_400_000
_BUSIEST = 20 / 24  # of the day, UTC
_SWING = 0.75  # the busiest hour brings seven times the reports of the quietest


def draw_times(generator: np.random.Generator, count: int, days: float) -> NDArray[np.datetime64]:
    """Draw `count` ascending times in the `days` days before `END`.

    Given their number, the arrivals of a Poisson process are uniform in the integral of its rate.
    """
    busy = _busy_days(-days) * np.sort(generator.random(count))[::-1]
    since_end = np.floor(_calendar_days(busy) * _DAY_MS)
    return END + np.minimum(since_end, -1).astype("timedelta64[ms]")


def _busy_days(day: float) -> float:
    """Integrate the rate from midnight of day 0 to `day`; a whole day counts 1."""
    return float(np.floor(day) + _share_of_day(np.asarray(day - np.floor(day))))


def _calendar_days(busy_days: NDArray[np.float64]) -> NDArray[np.float64]:
    """Invert `_busy_days`, to a few milliseconds: between two minutes the rate hardly changes."""
    minutes = np.linspace(0, 1, 1441)
    whole = np.floor(busy_days)
    days: NDArray[np.float64] = whole + np.interp(busy_days - whole, _share_of_day(minutes), minutes)
    return days


def _share_of_day(clock: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of a day's reports that arrive from midnight to `clock` (0 .. 1)."""
    turn = 2 * np.pi
    swing: NDArray[np.float64] = np.sin(turn * (clock - _BUSIEST)) + np.sin(turn * _BUSIEST)
    return clock + _SWING / turn * swing
