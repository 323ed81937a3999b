"""`flagrank train`: labelled reports in a file -> a calibrated model package."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from flagrank.cli.extras import needs_extra
from flagrank.cli.metrics_table import print_metrics
from flagrank.cli.output import AsJson, print_json
from flagrank.cli.progress import show_progress


class Architecture(StrEnum):
    """What can be trained."""

    XGBOOST = "xgboost"


def train(
    *,
    data: Annotated[
        Path,
        typer.Option(metavar="FILE", help="Labelled reports: .parquet, .csv, .tsv (also .gz) or .jsonl."),
    ],
    target: Annotated[
        str, typer.Option(metavar="COLUMN", help="The column with the label: 0/1, true/false or yes/no.")
    ],
    architecture: Annotated[Architecture, typer.Option(help="The kind of model.")],
    out: Annotated[
        Path,
        typer.Option(metavar="DIR", help="Where to write the package; an earlier package there is replaced."),
    ],
    schema: Annotated[
        Path | None,
        typer.Option(metavar="SCHEMA.toml", help="The features; by default those of the README's example."),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN", help="Rows that share its value never stand on both sides of a split."
        ),
    ] = None,
    time: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN", help="Judge by later rows than those fitted on, instead of by a draw."
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=2**31 - 1, help="The same seed and data give the same model.")
    ] = 0,
    folds: Annotated[
        int, typer.Option(min=2, max=50, help="How many times the rows are held out in turn.")
    ] = 5,
    as_json: AsJson = False,
) -> None:
    """Train a calibrated model on labelled reports and write it as one package, with a report to read.

    Its figures are those of models that did not see the row they are judged on; the model itself is then
    fitted on all rows.
    """
    with needs_extra("train"):
        from flagrank.training.experiment import Examples, Plan
        from flagrank.training.experiment import train as run
    from flagrank.files import read_table
    from flagrank.settings import load_schema, read_build_time

    features = load_schema(schema)
    plan = Plan(
        schema=features,
        target=target,
        architecture=architecture.value,
        folds=folds,
        seed=seed,
        made_at=read_build_time(),
    )
    with show_progress("Reading", "rows") as on_rows:
        table = read_table(data, features, target=target, group=group, time=time, progress=on_rows)
    examples = Examples(features=table.features, labels=table.labels, groups=table.groups, times=table.times)
    with show_progress("Training", "trees") as on_trees:
        outcome = run(plan, examples, out, on_trees)
    if as_json:
        print_json(
            msgspec.to_builtins(outcome.metrics)
            | {"model": outcome.model, "out": str(out), "warnings": outcome.warnings}
        )
        return
    print_metrics(outcome.metrics)
    for warning in outcome.warnings:
        sys.stderr.write(f"Note: {warning}\n")
    typer.echo(f"{outcome.model.name} {outcome.model.version} is in {out}; read {out / 'report.html'} next.")
