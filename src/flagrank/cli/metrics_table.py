"""Figures of models as a table for people."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from flagrank.triage.errors import shorten

if TYPE_CHECKING:
    from flagrank.training.metrics import Metrics

_COUNTS = {"rows", "positives"}


def print_metrics(metrics: "Metrics") -> None:
    """Print each measure with its 95 % interval, or why it is undefined."""
    print_side_by_side({"value": msgspec.to_builtins(metrics)})


def print_side_by_side(figures: Mapping[str, Mapping[str, Any]]) -> None:
    """Print what models' packages say of them, each under its heading, by the measures of the first.

    A stranger may have written them: they need not be figures at all.
    """
    from rich.console import Console
    from rich.table import Table

    space = 2 if len(figures) == 1 else 1  # two versions fit in 80 columns
    table = Table(box=None, pad_edge=False, padding=(0, space, 0, 0))
    table.add_column("measure")
    for heading in figures:
        table.add_column(heading, justify="right")
        table.add_column("95 % interval", justify="right")
    for name in next(iter(figures.values())):
        words = name.replace("_", " ").replace(" percent", " %").replace("recall 75", "recall 75 %")
        cells = [cell for each in figures.values() for cell in _read_figure(name, each.get(name))]
        table.add_row(shorten(words, 40), *cells)
    Console(markup=False, emoji=False, highlight=False).print(table)


def _read_figure(name: str, figure: Any) -> tuple[str, str]:  # noqa: ANN401 - any JSON value
    """The figure, and its interval or why there is none."""
    match figure:
        case {"value": int() | float() as value} if name in _COUNTS:
            return f"{value:,.0f}", ""
        case {
            "value": int() | float() as value,
            "low": int() | float() as low,
            "high": int() | float() as high,
        }:
            return f"{value:.4f}", f"{low:.4f} .. {high:.4f}"
        case {"why": str() as why}:
            return "-", shorten(why)
    return "-", ""
