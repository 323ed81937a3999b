"""One figure a row: what was measured, its target, whether it held, and how it was measured."""

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

progress = Console(stderr=True)


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured value; `target` is the bound it should keep, None where it is shown for comparison only."""

    name: str
    value: float
    unit: str = ""
    target: float | None = None
    bound: Literal["at most", "at least"] = "at most"
    how: str = ""

    @property
    def is_held(self) -> bool | None:
        """Whether the value keeps its bound; None without one."""
        if self.target is None:
            return None
        keeps = operator.le if self.bound == "at most" else operator.ge
        return bool(keeps(self.value, self.target))


def print_figures(title: str, figures: Sequence[Figure], note: str = "") -> None:
    """Print a table of figures that fits one screen; how each was measured stands beneath its name."""
    rows = [
        (
            f"{figure.name}\n[dim]{figure.how}[/dim]" if figure.how else figure.name,
            show(figure.value, figure.unit),
            *_judge(figure),
        )
        for figure in figures
    ]
    print_rows(title, ("figure", "measured", "target", ""), rows, note)


def print_rows(title: str, header: Sequence[str], rows: Sequence[Sequence[str]], note: str = "") -> None:
    """Print a table; every column but the first is aligned to the right, the note stands beneath."""
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    for position, name in enumerate(header):
        table.add_column(name, justify="right" if position else "left", no_wrap=position > 0)
    for row in rows:
        table.add_row(*row)
    console = Console()
    console.print(table)
    if note:
        console.print(f"[dim]{note}[/dim]\n", highlight=False)


def show(value: float, unit: str = "") -> str:
    """Return a number with three or four digits, and its unit."""
    digits = 0 if abs(value) >= 1000 else 1 if abs(value) >= 100 else 2 if abs(value) >= 1 else 4
    return f"{value:,.{digits}f} {unit}".rstrip()


def _judge(figure: Figure) -> tuple[str, str]:
    if figure.target is None or figure.is_held is None:
        return "", ""
    sign = "<=" if figure.bound == "at most" else ">="
    verdict = "[green]held[/green]" if figure.is_held else "[red]missed[/red]"
    return f"{sign} {show(figure.target, figure.unit)}", verdict
