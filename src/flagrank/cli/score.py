"""`flagrank score`: a file of reports -> the same file with a score and a priority in each row."""

import sys
import time
from collections.abc import Callable
from itertools import repeat
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flagrank.cli.output import AsJson, print_json
from flagrank.cli.packages import find_package
from flagrank.cli.policy import opened_policies
from flagrank.cli.progress import show_progress

if TYPE_CHECKING:
    from flagrank.scoring.package import Package
    from flagrank.triage.policy import Policy

NOT_IN_NAMES = ',"\\'


def score(
    source: Annotated[
        Path, typer.Argument(metavar="IN", help="Reports: .parquet, .csv, .tsv or .jsonl (also .gz).")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Where to write: a file of the same kind.")],
    *,
    model: Annotated[
        str,
        typer.Option(
            metavar="DIR|champion|demo",
            help="The package to score with: the champion in the database, or demo, the bundled one.",
        ),
    ],
    prefix: Annotated[str, typer.Option(metavar="P", help="Put before the names of what is added.")] = "",
    as_json: AsJson = False,
) -> None:
    """Add score and priority to each row of a file of any size, and leave every other cell as it is.

    They are what POST /prediction answers, to the last bit; reason and exposure count where the file has
    these columns. The champion's priorities follow the active policy, those of another model the built-in
    one. A file with a bad row is refused whole. OUT is there once it is complete, not before.
    """
    from flagrank.scoring.verification import verify_package

    if not prefix.isprintable() or any(character in NOT_IN_NAMES for character in prefix):
        raise typer.BadParameter("--prefix takes no comma, quotation mark, backslash or control character.")
    package, policy = find_package(model), _find_policy(model)
    verify_package(package)
    start = time.monotonic()
    with show_progress("Scoring", "rows") as on_progress:
        rows = _score_file(
            source, out, (f"{prefix}score", f"{prefix}priority"), package, policy, on_progress=on_progress
        )
    seconds = time.monotonic() - start
    sys.stderr.write(f"Scored {rows:,} rows in {seconds:.1f} s ({rows / max(seconds, 0.001):,.0f} rows/s).\n")
    if as_json:
        print_json({"rows": rows, "model": package.identity, "out": str(out)})
    else:
        typer.echo(f"{out} holds {source} as scored by {package.identity.name} {package.identity.version}.")


def _find_policy(model: str) -> "Policy":
    from flagrank.settings import load_default_policy

    if model != "champion":
        return load_default_policy()
    with opened_policies() as policies:
        return policies.read_active()


def _score_file(
    source: Path,
    out: Path,
    names: tuple[str, str],
    package: "Package",
    policy: "Policy",
    *,
    on_progress: Callable[[int, int], None],
) -> int:
    from flagrank.files.columns import exposure_column, feature_column, reason_column
    from flagrank.files.reading import open_reports
    from flagrank.files.writing import open_copy
    from flagrank.scoring.columns import ColumnEncoder
    from flagrank.scoring.session import ModelSession
    from flagrank.triage.priority import prioritise_alone
    from flagrank.triage.report import find_abuse_type

    schema = package.manifest.schema
    session = ModelSession(package.model, schema.names)
    encoder = ColumnEncoder(schema)
    columns = [feature_column(feature) for feature in schema.feature]
    columns += [reason_column(policy.severities), exposure_column()]
    place = find_abuse_type(schema)
    rows = 0
    with open_reports(source, columns, taken=names) as reports, open_copy(reports, out, names) as append:
        for batch in reports.batches:
            *features, reasons, exposures = batch.columns
            matrix = encoder.encode_columns(dict(zip(schema.names, features, strict=True)))
            scores = session.score(matrix).tolist()
            priorities = prioritise_alone(
                scores,
                reasons,
                [None] * len(scores) if place is None else features[place],
                [None if isnan(exposure) else exposure for exposure in exposures.tolist()],
                base_rates=repeat(package.manifest.training.base_rate, len(scores)),
                policy=policy,
            )
            append(batch, [scores, priorities])
            rows += batch.chunk.rows
            on_progress(rows, round(rows / batch.chunk.share_read))
    return rows
