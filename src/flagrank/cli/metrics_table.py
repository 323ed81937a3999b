"""The metrics of `train` and `evaluate` as a table for people."""

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from flagrank.training.metrics import Metrics


def print_metrics(metrics: "Metrics") -> None:
    """Print each measure with its 95 % interval, or why it is undefined."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("measure")
    table.add_column("value", justify="right")
    table.add_column("95 % interval", justify="right")
    for name, measure in msgspec.structs.asdict(metrics).items():
        words = name.replace("_", " ").replace(" percent", " %").replace("recall 75", "recall 75 %")
        if measure.value is None:
            table.add_row(words, "-", str(measure.why))
        elif name in {"rows", "positives"}:
            table.add_row(words, f"{measure.value:,.0f}", "")
        else:
            table.add_row(words, f"{measure.value:.4f}", f"{measure.low:.4f} .. {measure.high:.4f}")
    Console().print(table)
