"""`flagrank model`: what is done with model packages."""

from pathlib import Path
from typing import Annotated

import typer

from flagrank.cli.output import AsJson, print_json

application = typer.Typer(no_args_is_help=True, help="Check model packages.")


@application.callback()
def _group() -> None:
    """A group also while it has one command."""


@application.command()
def verify(
    package: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="A package: a directory that `train` wrote, or a .zip of one."),
    ],
    *,
    as_json: AsJson = False,
) -> None:
    """Check a model package as a server does before it loads it: hashes, inputs, golden rows, limits."""
    from flagrank.scoring.package import read_package
    from flagrank.scoring.verification import verify_package

    read = read_package(package)
    verify_package(read)
    identity, manifest, rows = read.identity, read.manifest, len(read.golden.rows)
    if as_json:
        print_json(
            {
                "name": identity.name,
                "version": identity.version,
                "architecture": manifest.architecture,
                "features": list(manifest.schema.names),
                "golden_rows": rows,
                "made_at": manifest.made_at,
            }
        )
        return
    typer.echo(
        f"{identity.name} {identity.version} ({manifest.architecture}, {manifest.made_at}) can be served:"
    )
    typer.echo(f"its hashes hold, and its graph gives the scores of its {rows} golden rows.")
