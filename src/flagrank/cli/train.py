"""`flagrank train`: labelled reports in a file -> a calibrated model package."""

import re
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from flagrank.cli.extras import needs_extra
from flagrank.cli.metrics_table import print_metrics
from flagrank.cli.options import Labelled, Target
from flagrank.cli.output import AsJson, print_json
from flagrank.cli.progress import show_progress


class Architecture(StrEnum):
    """What can be trained."""

    XGBOOST = "xgboost"
    KERAS = "keras"


Out = Annotated[
    Path,
    typer.Option(metavar="DIR", help="Where to write the package; an earlier package there is replaced."),
]
SchemaFile = Annotated[
    Path | None,
    typer.Option(metavar="SCHEMA.toml", help="The features; by default those of the first design."),
]
Group = Annotated[
    str | None,
    typer.Option(metavar="COLUMN", help="Rows that share its value never stand on both sides of a split."),
]
Time = Annotated[
    str | None,
    typer.Option(metavar="COLUMN", help="Judge by later rows than those fitted on, instead of by a draw."),
]
Seed = Annotated[int, typer.Option(min=0, max=2**31 - 1, help="The same seed and data give the same model.")]
Name = Annotated[
    str,
    typer.Option(metavar="NAME", help="The model's name, which every answer carries; letters, digits, . _ -"),
]
Folds = Annotated[int, typer.Option(min=2, max=50, help="How many times rows are held out in turn.")]


def train(
    *,
    data: Labelled,
    target: Target,
    architecture: Annotated[Architecture, typer.Option(help="The kind of model.")],
    out: Out,
    schema: SchemaFile = None,
    group: Group = None,
    time: Time = None,
    name: Name = "report-priority",
    seed: Seed = 0,
    folds: Folds = 5,
    as_json: AsJson = False,
) -> None:
    """Train a calibrated model on labelled reports and write it as one package, with a report to read.

    Its figures are those of models that did not see the row they are judged on; the model itself is then
    fitted on all rows.
    """
    with needs_extra("train"):
        from flagrank.training.experiment import Examples, Plan
        from flagrank.training.experiment import train as run
        from flagrank.training.packaging import check_place
    if architecture is Architecture.KERAS:
        with needs_extra("tensorflow"):
            from flagrank.training.keras_library import load_keras

            load_keras()
    from flagrank.files import read_table
    from flagrank.settings import load_schema, read_build_time

    check_place(out)
    features = load_schema(schema)
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", name):
        raise typer.BadParameter("--name takes 1 to 64 of the characters A-Z a-z 0-9 . _ -")
    plan = Plan(
        name=name,
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
    rounds = "epochs" if architecture is Architecture.KERAS else "trees"
    with show_progress("Training", rounds) as on_rounds:
        outcome = run(plan, examples, out, on_rounds)
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
