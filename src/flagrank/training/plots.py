"""The plots of a report: SVG that stands in a page, in its colours, each with a sentence that tells it."""

import html
import io
import re
from collections.abc import Callable, Sequence

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from numpy.typing import NDArray

from flagrank.training.curves import DEPTHS, Ranking
from flagrank.triage.curves import Bin

_INK, _MUTED, _GRID, _ACCENT, _SECOND = "#010101", "#020202", "#030303", "#040404", "#050505"
_THEME = {_INK: "--ink", _MUTED: "--muted", _GRID: "--grid", _ACCENT: "--accent", _SECOND: "--second"}
"""Colours that stand for the page's, which are others in light and dark."""

_WIDTH, _HEIGHT = 360, 320  # points, about the pixels of a phone
_POINTS = 150
_LOW_TICKS = (1e-5, 1e-4, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
_SHARE_TICKS = (0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1)
_SETTINGS = {
    "axes.axisbelow": True,
    "axes.edgecolor": _MUTED,
    "axes.grid": True,
    "axes.labelcolor": _MUTED,
    "axes.labelsize": 11,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": _MUTED,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "grid.color": _GRID,
    "legend.columnspacing": 1.2,
    "legend.fontsize": 10.5,
    "legend.frameon": False,
    "legend.handlelength": 1.4,
    "legend.handletextpad": 0.5,
    "legend.labelcolor": _INK,
    "lines.linewidth": 1.8,
    "svg.fonttype": "none",
    "xtick.color": _MUTED,
    "xtick.labelsize": 10.5,
    "ytick.color": _MUTED,
    "ytick.labelsize": 10.5,
}


def plot_reliability(
    name: str, bins: Sequence[Bin], labels: NDArray[np.int8], scores: NDArray[np.float64], *, odds: bool
) -> str:
    """Share of positives by mean score of each bin, over a histogram of scores.

    `odds` spreads the ends of both axes, and shows what scores and bins cover of them.
    """
    scale = _to_odds if odds else np.asarray
    x = scale([one.mean_score for one in bins])
    y, low, high = (scale([getattr(one.share, part) for one in bins]) for part in ("value", "low", "high"))
    if odds:
        # The interval of a share of 0 or 1 has no end on this scale: it goes on to the edge of the plot.
        seen = np.concatenate([x, y[np.isfinite(y)], low[np.isfinite(low)], high[np.isfinite(high)]])
        start, end = float(seen.min()) - 0.4, float(seen.max()) + 0.4
    else:
        start, end = 0.0, 1.0
    known = np.isfinite(y)
    low, high = np.clip(low, start - 1, end + 1), np.clip(high, start - 1, end + 1)

    def paint(figure: Figure) -> None:
        main, strip = figure.add_axes((0.14, 0.4, 0.8, 0.52)), figure.add_axes((0.14, 0.13, 0.8, 0.18))
        main.plot([start, end], [start, end], color=_MUTED, dashes=(4, 3), linewidth=1, label="calibrated")
        main.vlines(x, low, high, color=_ACCENT, linewidth=1.4)
        main.plot(x[known], y[known], "o", color=_ACCENT, markersize=5.5, label="bin, 95 % interval")
        at_edge = np.clip(y[~known], start, end)
        main.plot(x[~known], at_edge, "o", color=_ACCENT, fillstyle="none", markersize=5.5, clip_on=False)
        main.set(xlim=(start, end), ylim=(start, end), title="share positive")
        main.legend(loc="lower right", ncols=2, bbox_to_anchor=(1, 1.02), borderpad=0, borderaxespad=0)
        _plot_histogram(strip, labels, np.clip(scale(scores), start, end), (start, end))
        strip.set_xlabel("score")
        for axis in (main.xaxis, main.yaxis, strip.xaxis):
            if odds:
                axis.set_major_locator(FixedLocator(_pick_ticks(start, end)))
                axis.set_major_formatter(
                    FuncFormatter(lambda value, _: _show_share(1 / (1 + np.exp(-value))))
                )
            else:
                axis.set_major_locator(FixedLocator(np.linspace(0, 1, 6).tolist()))
                axis.set_major_formatter(FuncFormatter(lambda value, _: _show_share(value)))
        main.tick_params(labelbottom=False)

    inside = sum(one.share.low <= one.mean_score <= one.share.high for one in bins)
    return _draw(
        name,
        f"Reliability in {len(bins)} bins of scores from {_show_share(bins[0].mean_score)} to "
        f"{_show_share(bins[-1].mean_score)}: in {inside} of them the mean score lies within the interval of "
        "the share of positives.",
        paint,
    )


def _plot_histogram(
    axes: Axes, labels: NDArray[np.int8], positions: NDArray[np.float64], ends: tuple[float, float]
) -> None:
    edges = np.linspace(*ends, 41)
    for label, colour, word in ((0, _MUTED, "negative"), (1, _SECOND, "positive")):
        counts, _ = np.histogram(positions[labels == label], edges)
        axes.stairs(counts, edges, color=colour, linewidth=1.3, label=word)
    axes.set_yscale("symlog", linthresh=1)
    most = max(10.0, float(np.histogram(positions, edges)[0].max()))
    axes.set(xlim=ends, ylim=(0, most * 1.5), title="rows")
    axes.yaxis.set_major_locator(FixedLocator([0, *10.0 ** np.arange(1, int(np.log10(most)) + 1, 2)]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.legend(loc="lower right", ncols=2, bbox_to_anchor=(1, 1.02), borderpad=0, borderaxespad=0)


def plot_precision(ranking: Ranking) -> str:
    """Precision by recall, its 95 % band, and the base rate that a random order has."""
    precision = ranking.precision

    def paint(figure: Figure) -> None:
        axes = _add_axes(figure, "precision", "recall")
        axes.fill_between(
            ranking.recalls, precision.low, precision.high, color=_ACCENT, alpha=0.2, linewidth=0
        )
        axes.plot(ranking.recalls, precision.value, color=_ACCENT, label="model, 95 % band")
        axes.axhline(ranking.base_rate, color=_MUTED, dashes=(4, 3), linewidth=1, label="base rate")
        axes.set(xlim=(0, 1), ylim=(0, 1.02))
        _mark_shares(axes, x=True, y=True)
        _add_legend(axes)

    told = ", ".join(
        f"{_show_share(float(precision.value[place]))} at recall {_show_share(float(ranking.recalls[place]))}"
        for place in (9, 24, 49, 74)
    )
    return _draw("precision", f"Precision {told}; base rate {_show_share(ranking.base_rate)}.", paint)


def plot_gains(ranking: Ranking) -> str:
    """Share of the positives found by share of rows reviewed, beside a random and a perfect order."""
    shares, found = ranking.shares, ranking.found

    def paint(figure: Figure) -> None:
        axes = _add_axes(figure, "positives found", "rows reviewed, highest score first")
        axes.plot([0, ranking.base_rate, 1], [0, 1, 1], color=_SECOND, linewidth=1.2, label="perfect order")
        axes.fill_between(shares, found.low, found.high, color=_ACCENT, alpha=0.2, linewidth=0)
        axes.plot([0, *shares], [0, *found.value], color=_ACCENT, label="model, 95 % band")
        axes.plot([0, 1], [0, 1], color=_MUTED, dashes=(4, 3), linewidth=1, label="random order")
        axes.set(xlim=(0, 1), ylim=(0, 1.02))
        _mark_shares(axes, x=True, y=True)
        _add_legend(axes)

    return _draw("gains", f"Positives found: {_tell_depths(ranking, found.value)}.", paint)


def plot_lift(ranking: Ranking) -> str:
    """How many times the base rate the precision is, by share of rows reviewed."""
    most = 1 / ranking.base_rate
    lift, low, high = (
        curve * most for curve in (ranking.precise.value, ranking.precise.low, ranking.precise.high)
    )

    def paint(figure: Figure) -> None:
        axes = _add_axes(figure, "times the base rate", "rows reviewed, highest score first")
        shown = ranking.shares >= 0.005
        axes.plot(
            ranking.shares[shown],
            np.minimum(1 / ranking.shares, most)[shown],
            color=_SECOND,
            linewidth=1.2,
            label="perfect order",
        )
        axes.fill_between(
            ranking.shares[shown],
            low[shown],
            high[shown],
            color=_ACCENT,
            alpha=0.2,
            linewidth=0,
        )
        axes.plot(ranking.shares[shown], lift[shown], color=_ACCENT, label="model, 95 % band")
        axes.axhline(1, color=_MUTED, dashes=(4, 3), linewidth=1, label="random order")
        axes.set_xscale("log")
        axes.set(xlim=(0.005, 1), ylim=(0, most * 1.05))
        axes.xaxis.set_major_locator(FixedLocator(_SHARE_TICKS))
        axes.xaxis.set_minor_locator(NullLocator())
        _mark_shares(axes, x=True, y=False)
        _add_legend(axes)

    return _draw("lift", f"Times the base rate: {_tell_depths(ranking, lift, times=True)}.", paint)


def plot_rounds(curves: NDArray[np.float64], rounds: int, name: str) -> str:
    """Log loss by rounds called `name`, of each fold of curves (k, rounds) and their mean, choice marked."""
    mean = curves.mean(axis=0)
    shown = thin(len(mean), rounds)

    def paint(figure: Figure) -> None:
        axes = _add_axes(figure, "log loss on held-out rows", f"{name}s")
        for number, curve in enumerate(curves):
            label = "each fold" if number == 0 else "_"
            axes.plot(shown + 1, curve[shown], color=_MUTED, linewidth=0.7, alpha=0.6, label=label)
        axes.plot(shown + 1, mean[shown], color=_ACCENT, label="mean of the folds")
        axes.axvline(rounds, color=_SECOND, dashes=(4, 3), linewidth=1.2, label=f"chosen: {rounds}")
        axes.set_xlim(0, len(mean))
        _add_legend(axes)

    return _draw(
        "rounds",
        f"Mean log loss falls from {mean[0]:.4f} with one {name} to {mean[rounds - 1]:.4f} with the {rounds} "
        f"chosen, and is {mean[-1]:.4f} with {len(mean)}.",
        paint,
    )


def thin(count: int, rounds: int) -> NDArray[np.intp]:
    """Positions of at most _POINTS + 1 of `count` points, that of `rounds` among them."""
    return np.unique(np.append(np.linspace(0, count - 1, _POINTS).astype(np.intp), rounds - 1))


def _add_axes(figure: Figure, title: str, label: str) -> Axes:
    axes = figure.add_axes((0.14, 0.22, 0.8, 0.7))
    axes.set(title=title, xlabel=label)
    return axes


def _add_legend(axes: Axes) -> None:
    """Below the axes, where no curve can run through it."""
    axes.legend(loc="upper center", bbox_to_anchor=(0.48, -0.17), ncols=3)


def _mark_shares(axes: Axes, *, x: bool, y: bool) -> None:
    for axis, wanted in ((axes.xaxis, x), (axes.yaxis, y)):
        if wanted:
            axis.set_major_formatter(FuncFormatter(lambda value, _: _show_share(value)))


def _tell_depths(ranking: Ranking, curve: NDArray[np.float64], *, times: bool = False) -> str:
    places = np.searchsorted(ranking.shares, DEPTHS)
    return ", ".join(
        f"{curve[place]:.1f} at {_show_share(share)}"
        if times
        else f"{_show_share(float(curve[place]))} in {_show_share(share)} of the rows"
        for share, place in zip(DEPTHS, places, strict=True)
    )


def _to_odds(shares: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    share = np.asarray(shares, np.float64)
    with np.errstate(divide="ignore"):
        odds: NDArray[np.float64] = np.log(share) - np.log1p(-share)
    return odds


def _pick_ticks(start: float, end: float) -> list[float]:
    """Round shares between two log odds, as many as can be read; where there are none, two places between."""
    ticks: list[float] = []
    for tick in _to_odds([*_LOW_TICKS, 0.5, *(1 - low for low in reversed(_LOW_TICKS))]).tolist():
        if start <= tick <= end and (not ticks or tick - ticks[-1] > (end - start) / 8):
            ticks.append(tick)
    return ticks if len(ticks) > 1 else np.linspace(start, end, 4)[1:3].tolist()


def _show_share(share: float) -> str:
    return f"{100 * share:.3g} %"


def _draw(name: str, told: str, paint: Callable[[Figure], None]) -> str:
    """Draw by default settings, whatever the user's are, and with ids made from `name` alone."""
    file = io.StringIO()
    with matplotlib.style.context({**_SETTINGS, "svg.hashsalt": name}, after_reset=True):
        figure = Figure(figsize=(_WIDTH / 72, _HEIGHT / 72))
        paint(figure)
        unsaid = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(file, format="svg", transparent=True, metadata=unsaid)
    return _adapt(file.getvalue(), told)


def _adapt(svg: str, told: str) -> str:
    """Take from a file what a part of a page must not have: prolog, style for all, ids of groups, size."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    svg = re.sub(r' d="[^"]*"', lambda path: re.sub(r"(\.\d\d)\d+", r"\1", path[0]), svg)
    svg = re.sub(r" font-family: [^;]*;", "", svg)
    svg = re.sub(r"\n\s*", "\n", svg)
    for colour, variable in _THEME.items():
        svg = svg.replace(colour, f"var({variable})")
    opening = f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{html.escape(told)}">'
    return re.sub(r"^<svg[^>]*>", opening, svg)
