import math
from itertools import pairwise

import pytest

from flagrank.console.model_plots import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    Plot,
    Traced,
    plot_lift,
    plot_reliability,
)
from flagrank.triage.curves import Bin, Curves, Span


def make_bin(score: float, share: float, reach: float = 0.02) -> Bin:
    span = Span(share, max(share - reach, 0.0), min(share + reach, 1.0))
    return Bin(score, score, 100, round(100 * share), score, span)


def trace(kind: str, *bins: Bin, lift: tuple[float, ...] = ()) -> Traced:
    shares = tuple(10 ** (-2 + 2 * n / (len(lift) - 1)) for n in range(len(lift))) if lift else ()
    return Traced(kind, kind, Curves(1000, 100, bins, shares, lift))


def find_points(plot: Plot) -> list[tuple[float, float]]:
    """All that is drawn, and where."""
    points = [point for series in plot.series for point in series.points]
    for series in plot.series:
        points += [(mark.x, end) for mark in series.marks for end in (mark.low, mark.high)]
    return points


def test_a_calibrated_bin_stands_on_the_diagonal() -> None:
    plot = plot_reliability([trace("this", make_bin(0.1, 0.1), make_bin(0.5, 0.5), make_bin(0.9, 0.9))])
    (series,) = plot.series
    for x, y in series.points:
        assert (x - LEFT) / (RIGHT - LEFT) == pytest.approx((BOTTOM - y) / (BOTTOM - TOP), abs=0.001)
    assert "in 3 of 3 bins" in plot.told


def test_scores_that_are_too_high_stand_below_the_diagonal_and_are_told() -> None:
    plot = plot_reliability([trace("this", make_bin(0.1, 0.02), make_bin(0.5, 0.1))])
    for x, y in plot.series[0].points:
        assert (BOTTOM - y) / (BOTTOM - TOP) < (x - LEFT) / (RIGHT - LEFT) - 0.05
    assert "in 0 of 2 bins" in plot.told


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_share_without_a_place_on_the_scale_stands_at_its_end(share: float) -> None:
    (series,) = plot_reliability([trace("this", make_bin(0.1, share), make_bin(0.4, 0.4))]).series
    at_end, inside = series.marks
    assert (at_end.is_at_end, inside.is_at_end) == (True, False)
    assert at_end.y == (BOTTOM if share == 0 else TOP)


def test_two_models_share_the_scale_of_a_plot() -> None:
    bins = (make_bin(0.01, 0.01, 0.005), make_bin(0.2, 0.3))
    alone = plot_reliability([trace("this", *bins)])
    both = plot_reliability([trace("this", *bins), trace("champion", make_bin(0.9, 0.95, 0.01))])
    assert [series.kind for series in both.series] == ["this", "champion"]
    assert both.series[0].points[1][0] < alone.series[0].points[1][0]


@pytest.mark.parametrize(
    "bins",
    [
        (make_bin(0.0, 0.0),),
        (make_bin(1.0, 1.0),),
        (make_bin(1e-300, 0.0), make_bin(0.5, 0.5)),
        (make_bin(1 - 1e-16, 1.0, 0.0),),
        (make_bin(0.5, 0.5, 0.0),),
    ],
)
def test_whatever_the_bins_are_it_is_drawn_within_its_frame(bins: tuple[Bin, ...]) -> None:
    plot = plot_reliability([trace("this", *bins)])
    for x, y in find_points(plot):
        assert LEFT <= x <= RIGHT
        assert TOP <= y <= BOTTOM


@pytest.mark.parametrize("most", [1.0, 1.3, 8.0, 400.0, 1e6])
def test_lift_is_drawn_within_its_frame_with_a_few_ticks(most: float) -> None:
    lift = tuple(math.exp(math.log(most) * (1 - n / 20)) for n in range(21))
    plot = plot_lift([trace("this", lift=lift), trace("champion", lift=(1.0, 1.0))])
    for x, y in find_points(plot):
        assert LEFT <= x <= RIGHT
        assert TOP <= y <= BOTTOM
    assert plot.series[0].points[-1] == (RIGHT, plot.reference[1][1])
    assert 2 <= len(plot.upright) <= 7
    assert all(low.at - high.at > 15 for low, high in pairwise(plot.upright))


def test_lift_is_told_at_depths_that_are_reviewed() -> None:
    curves = Curves(1000, 100, (), (0.01, 0.05, 0.2, 1.0), (7.25, 5.0, 3.0, 1.0))
    told = plot_lift([Traced("this", "version 3", curves)]).told
    assert told.replace("\N{NO-BREAK SPACE}", " ") == (
        "version 3: 7.2 at 1 %, 5.0 at 5 %, 3.0 at 20 % of the rows reviewed"
    )
