"""Where the marks of a model's plots stand: reliability and lift, the champion's beside them."""

import math
from collections.abc import Callable, Sequence

import msgspec

from flagrank.console.pages import show_share
from flagrank.triage.curves import Bin, Curves

LEFT, RIGHT, TOP, BOTTOM = 52.0, 334.0, 26.0, 244.0  # of 360 x 320, as in plot.html.jinja

_ODDS_TICKS = (1e-5, 1e-4, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97, 0.99, 0.999)
_SHARE_TICKS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
_LEAST_SHARE = _SHARE_TICKS[0]
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
_MOST_STEPS = 6
_MARGIN_ODDS = 0.4


class Tick(msgspec.Struct, frozen=True):
    """A place on an axis, and what it says there."""

    at: float
    text: str


class Mark(msgspec.Struct, frozen=True):
    """A point with its interval; `is_at_end` where its share has no place on the scale, being 0 or 1."""

    x: float
    y: float
    low: float
    high: float
    is_at_end: bool


class Series(msgspec.Struct, frozen=True):
    """What one model has in a plot; the page draws each `kind` in its own way."""

    kind: str  # "this" or "champion"
    name: str
    points: tuple[tuple[float, float], ...]
    marks: tuple[Mark, ...] = ()


class Plot(msgspec.Struct, frozen=True, kw_only=True):
    """A plot, in the units of its picture; `told` says it in words."""

    title: str
    rising: str
    axis: str
    told: str
    across: tuple[Tick, ...]
    upright: tuple[Tick, ...]
    reference: tuple[tuple[float, float], tuple[float, float]]
    reference_name: str
    series: tuple[Series, ...]


class Traced(msgspec.Struct, frozen=True):
    """The curves of a model to be drawn."""

    kind: str
    name: str
    curves: Curves


def plot_reliability(traced: Sequence[Traced]) -> Plot:
    """The share of positives by the mean score of each bin, both on a scale of log-odds."""
    bins = [one for model in traced for one in model.curves.bins]
    seen = [odds for one in bins for odds in _cover(one)] or [-2.0, 2.0]
    start, end = min(seen) - _MARGIN_ODDS, max(seen) + _MARGIN_ODDS

    def move_right(odds: float) -> float:
        return _place(odds, (start, end), (LEFT, RIGHT))

    def move_up(odds: float) -> float:
        return _place(odds, (start, end), (BOTTOM, TOP))

    series = []
    for model in traced:
        marks = tuple(_mark(one, move_right, move_up) for one in model.curves.bins)
        points = tuple((mark.x, mark.y) for mark in marks)
        series.append(Series(model.kind, model.name, points, marks))
    ticks = [(odds, show_share(share)) for share in _ODDS_TICKS if start <= (odds := _to_odds(share)) <= end]
    return Plot(
        title="Reliability",
        rising="share positive",
        axis="mean score of a tenth of the rows",
        told="; ".join(map(_tell_reliability, traced)),
        across=_thin([Tick(move_right(odds), text) for odds, text in ticks], 34),
        upright=_thin([Tick(move_up(odds), text) for odds, text in ticks], 18),
        reference=((LEFT, BOTTOM), (RIGHT, TOP)),
        reference_name="calibrated",
        series=tuple(series),
    )


def plot_lift(traced: Sequence[Traced]) -> Plot:
    """How many times the base rate the precision is, by share of the rows, which stands on a log scale."""
    most = max((lift for model in traced for lift in model.curves.lift), default=1.0) * 1.05
    least = math.log(_LEAST_SHARE)

    def move_right(share: float) -> float:
        return _place(math.log(share), (least, 0.0), (LEFT, RIGHT))

    def move_up(lift: float) -> float:
        return _place(lift, (0.0, most), (BOTTOM, TOP))

    step = next((step for step in _STEPS if most / step <= _MOST_STEPS), most)
    return Plot(
        title="Lift",
        rising="times the base rate",
        axis="rows reviewed, highest score first",
        told="; ".join(map(_tell_lift, traced)),
        across=tuple(Tick(move_right(share), show_share(share)) for share in _SHARE_TICKS),
        upright=tuple(Tick(move_up(n * step), f"{n * step:g}") for n in range(int(most / step) + 1)),
        reference=((LEFT, move_up(1)), (RIGHT, move_up(1))),
        reference_name="random order",
        series=tuple(
            Series(
                model.kind,
                model.name,
                tuple(
                    (move_right(share), move_up(lift))
                    for share, lift in zip(model.curves.shares, model.curves.lift, strict=True)
                ),
            )
            for model in traced
        ),
    )


def _cover(one: Bin) -> list[float]:
    """What a bin needs to be seen of the scale; a share of 0 or 1 has no place on it."""
    shares = (one.mean_score, one.share.value, one.share.low, one.share.high)
    return [_to_odds(share) for share in shares if 0 < share < 1]


def _mark(one: Bin, move_right: Callable[[float], float], move_up: Callable[[float], float]) -> Mark:
    low, middle, high = (
        move_up(_to_odds(share)) for share in (one.share.low, one.share.value, one.share.high)
    )
    return Mark(move_right(_to_odds(one.mean_score)), middle, low, high, not 0 < one.share.value < 1)


def _to_odds(share: float) -> float:
    if not 0 < share < 1:
        return math.copysign(math.inf, share - 0.5)
    return math.log(share / (1 - share))


def _place(value: float, ends: tuple[float, float], span: tuple[float, float]) -> float:
    """Move a value to where it stands; what lies past an end stands on it."""
    part = min(max((value - ends[0]) / (ends[1] - ends[0]), 0.0), 1.0)
    return round(span[0] + part * (span[1] - span[0]), 1)


def _thin(ticks: Sequence[Tick], apart: float) -> tuple[Tick, ...]:
    """Those that can be read."""
    kept: list[Tick] = []
    for tick in ticks:
        if not kept or abs(tick.at - kept[-1].at) >= apart:
            kept.append(tick)
    return tuple(kept)


def _tell_reliability(model: Traced) -> str:
    bins = model.curves.bins
    inside = sum(one.share.low <= one.mean_score <= one.share.high for one in bins)
    return (
        f"{model.name}: in {inside} of {len(bins)} bins the mean score lies within the interval of the share "
        "of positives"
    )


def _tell_lift(model: Traced) -> str:
    lift = dict(zip(model.curves.shares, model.curves.lift, strict=True))
    told = ", ".join(
        f"{lift[share]:.1f} at {show_share(share)}" for share in (0.01, 0.05, 0.2) if share in lift
    )
    return f"{model.name}: {told or 'unknown'} of the rows reviewed"
