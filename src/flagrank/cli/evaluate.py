"""`flagrank evaluate`: how good a package is on labelled reports."""

from pathlib import Path
from typing import Annotated

import typer

from flagrank.cli.extras import needs_extra
from flagrank.cli.metrics_table import print_metrics
from flagrank.cli.options import Labelled, Target
from flagrank.cli.output import AsJson, print_json
from flagrank.cli.progress import show_progress


def evaluate(
    *,
    model: Annotated[
        Path,
        typer.Option(metavar="DIR", help="The package: a directory that `train` wrote, or a .zip of one."),
    ],
    data: Labelled,
    target: Target,
    as_json: AsJson = False,
) -> None:
    """Measure a model package on labelled reports, with 95 % intervals.

    The figures are honest for rows that the model was not trained on; for those it was, read train's report.
    """
    from flagrank.files import read_table
    from flagrank.scoring.package import read_package
    from flagrank.scoring.verification import verify_package

    with needs_extra("train"):
        from flagrank.training.evaluation import evaluate as run
    package = read_package(model)
    verify_package(package)
    with show_progress("Reading", "rows") as on_rows:
        table = read_table(data, package.manifest.schema, target=target, progress=on_rows)
    metrics = run(package, table.features, table.labels)
    if as_json:
        print_json(metrics)
    else:
        print_metrics(metrics)
