"""The plots of a comparison: PNG files that stand by themselves."""

import io
from collections.abc import Callable, Sequence

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from flagrank.replay.comparison import Line

_SETTINGS = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#6b7280",
    "axes.grid": True,
    "axes.labelcolor": "#374151",
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10.5,
    "font.size": 9.5,
    "grid.color": "#e5e7eb",
    "legend.frameon": False,
    "xtick.color": "#374151",
    "ytick.color": "#374151",
}
_COLOURS = {
    "first in, first out": "#9ca3af",
    "report count": "#a16207",
    "weighted sum": "#7c3aed",
    "score": "#0891b2",
    "expected harm": "#dc2626",
    "knowing the truth": "#111827",
}
"""Of the rankings whose waits are drawn: more lines hide each other."""

_MARKS = (("o", "#dc2626"), ("s", "#2563eb"), ("D", "#059669"))
_WAITS = (0.25, 1, 4, 24, 72, 168, 720)
_PANEL = (3.4, 3.6)  # inches


def plot_harm(lines: Sequence[Line]) -> bytes:
    """The share of avertable harm that each ranking averted: a panel for each capacity, a mark a model."""
    capacities = list(dict.fromkeys(line.decisions_per_hour for line in lines))
    models = list(dict.fromkeys(line.model for line in lines))
    names = list(dict.fromkeys(line.ranking for line in lines))[::-1]

    def paint(figure: Figure) -> None:
        grid = figure.subplots(1, len(capacities), sharey=True, squeeze=False)
        for axes, capacity in zip(grid[0], capacities, strict=True):
            for place, (model, (mark, colour)) in enumerate(zip(models, _MARKS, strict=False)):
                shown = [line for line in lines if (line.model, line.decisions_per_hour) == (model, capacity)]
                shift = 0.17 * (len(models) - 1 - 2 * place)
                at = [names.index(line.ranking) + shift for line in shown]
                averted = [line.outcome.harm_averted for line in shown]
                axes.plot(averted, at, mark, color=colour, markersize=5, label=model)
                for x, y in zip(averted, at, strict=True):
                    beside = {"xytext": (-6, 0), "textcoords": "offset points", "ha": "right", "va": "center"}
                    axes.annotate(f"{x:.0%}", (max(x, 0.1), y), color=colour, fontsize=7.5, **beside)
            axes.set(xlim=(0, 1.02), ylim=(-0.6, len(names) - 0.4), title=_tell_capacity(lines, capacity))
            axes.set_yticks(range(len(names)), names)
            axes.set_xlabel("share of avertable harm averted")
            _mark_shares(axes.xaxis.set_major_formatter)
        figure.legend(*grid[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=3)

    return _draw(2.6 + _PANEL[0] * len(capacities), 5.2, paint)


def plot_waits(lines: Sequence[Line]) -> bytes:
    """The share of bad targets seen within so many hours, a panel for each model and capacity."""
    panels = list(dict.fromkeys((line.model, line.decisions_per_hour) for line in lines))
    models = list(dict.fromkeys(model for model, _ in panels))
    columns = len(panels) // len(models)

    def paint(figure: Figure) -> None:
        grid = figure.subplots(len(models), columns, sharex=True, sharey=True, squeeze=False)
        for axes, (model, capacity) in zip(grid.flat, panels, strict=True):
            shown = [line for line in lines if (line.model, line.decisions_per_hour) == (model, capacity)]
            for line in shown:
                if line.ranking in _COLOURS:
                    _trace_waits(axes, line)
            axes.set_title(f"{model}\n{_tell_capacity(lines, capacity)}")
        for axes in grid[-1]:
            axes.set_xlabel("hours since the first report")
        for axes in grid[:, 0]:
            axes.set_ylabel("bad targets seen")
        figure.legend(*grid[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=3)

    return _draw(1.2 + _PANEL[0] * columns, 0.9 + _PANEL[1] * len(models), paint)


def _trace_waits(axes: Axes, line: Line) -> None:
    waits = np.sort(line.outcome.waits_of_bad)
    seen = np.arange(1, len(waits) + 1) / max(1, len(waits))
    known = np.isfinite(waits)
    last = max(float(line.outcome.decisions.hours.max(initial=1)), 1.0)
    # A wait is known to a quarter of an hour, and what is never seen runs on to the edge.
    x = np.append(np.maximum(waits[known], _WAITS[0]), last)
    y = np.append(seen[known], known.mean() if len(waits) else 0)
    axes.plot(x, y, color=_COLOURS[line.ranking], linewidth=1.6, label=line.ranking)
    axes.set(xscale="log", xlim=(_WAITS[0], last), ylim=(0, 1.02))
    axes.xaxis.set_major_locator(FixedLocator(_WAITS))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    _mark_shares(axes.yaxis.set_major_formatter)


def _tell_capacity(lines: Sequence[Line], decisions_per_hour: float) -> str:
    share = next(line.capacity_share for line in lines if line.decisions_per_hour == decisions_per_hour)
    return f"{decisions_per_hour:,.4g} decisions/h, {share:.0%} of the targets"


def _mark_shares(set_formatter: Callable[[FuncFormatter], None]) -> None:
    set_formatter(FuncFormatter(lambda value, _: f"{value:.0%}"))


def _draw(width: float, height: float, paint: Callable[[Figure], None]) -> bytes:
    file = io.BytesIO()
    with matplotlib.style.context(_SETTINGS, after_reset=True):
        figure = Figure(figsize=(width, height), layout="constrained")
        paint(figure)
        figure.savefig(file, format="png", dpi=150, metadata={"Software": None})
    return file.getvalue()
