"""`flagrank simulate`: synthetic reports with a known truth."""

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated

import typer

from flagrank.cli.output import AsJson, print_json
from flagrank.cli.progress import show_progress

if TYPE_CHECKING:
    from flagrank.files.kind import ColumnType

TYPES: "Mapping[str, ColumnType]" = MappingProxyType(
    {
        "report_id": "text",
        "reported_at": "text",
        "reporter_id": "text",
        "reported_id": "text",
        "content_id": "text",
        "exposure": "number",
        "abuse_type": "text",
        "report_text_len": "integer",
        "profile_rating": "number",
        "popularity": "number",
        "lifetime_matches_created": "integer",
        "reason": "text",
        "actionable": "boolean",
        "chance": "number",
        "truth_bad": "boolean",
        "truth_harm_per_view": "number",
        "truth_visible_at": "text",
        "truth_views": "number",
        "truth_life_hours": "number",
        "truth_burst_after_hours": "number",
        "truth_burst_views": "number",
        "truth_brigade": "boolean",
    }
)


def simulate(
    rows: Annotated[int, typer.Option(min=1, max=10_000_000, help="How many reports.")],
    out: Annotated[
        Path,
        typer.Option(metavar="FILE", help="Where to write: .csv, .tsv or .jsonl (also .gz), or .parquet."),
    ],
    *,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same reports.")] = 0,
    days: Annotated[float, typer.Option(min=0.001, max=36_500, help="Over how many days they arrive.")] = 7.0,
    as_json: AsJson = False,
) -> None:
    """Write a history of SYNTHETIC reports, to train on, to replay, to try flagrank out and to test it.

    Beside the fields of a report stand the label, in the column actionable, the chance that it is true by the
    features, in the column chance, and what is true of the target, in columns whose names begin with truth_.
    All of it is held in memory, about 3 kB a report.
    """
    from flagrank.files.writing import open_new
    from flagrank.simulation.reports import simulate as draw

    start = time.monotonic()
    done = positives = 0
    with show_progress("Simulating", "rows") as on_progress, open_new(out, TYPES) as write:
        for columns in draw(rows, seed, days):
            write(columns)
            done += len(columns["actionable"])
            positives += sum(columns["actionable"])
            on_progress(done, rows)
    seconds = time.monotonic() - start
    sys.stderr.write(f"Wrote {rows:,} rows in {seconds:.1f} s ({rows / max(seconds, 0.001):,.0f} rows/s).\n")
    if as_json:
        print_json({"rows": rows, "positives": positives, "seed": seed, "synthetic": True, "out": str(out)})
    else:
        share = f"{positives:,} ({positives / rows:.1%})"
        typer.echo(f"{out} holds {rows:,} SYNTHETIC reports about nobody; {share} are actionable.")
