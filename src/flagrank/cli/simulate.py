"""`flagrank simulate`: synthetic reports with a known truth."""

from pathlib import Path
from typing import Annotated

import typer

from flagrank.cli.output import AsJson, print_json


def simulate(
    rows: Annotated[int, typer.Option(min=1, max=1_000_000_000, help="How many reports.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where to write: .csv, .tsv (also .gz), .jsonl or .parquet.")],
    *,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same reports.")] = 0,
    days: Annotated[float, typer.Option(min=0.001, max=36_500, help="Over how many days they arrive.")] = 7.0,
    as_json: AsJson = False,
) -> None:
    """Write SYNTHETIC reports with a known chance of being actionable, to try flagrank out and to test it."""
    raise NotImplementedError  # lands with the files room


