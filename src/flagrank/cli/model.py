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
    package: Annotated[Path, typer.Argument(metavar="DIR", help="A package: a directory that `train` wrote, or a .zip of one.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Check a model package as a server does before it loads it: hashes, inputs, golden rows, limits."""
    from flagrank.scoring.package import read_package
    from flagrank.scoring.verification import verify_package

    read = read_package(package)
    verify_package(read)
    manifest = read.manifest
    if as_json:
        print_json(
            {
                "name": read.identity.name,
                "version": read.identity.version,
                "architecture": manifest.architecture,
                "features": list(manifest.schema.names),
                "golden_rows": len(read.golden.rows),
                "made_at": manifest.made_at,
            }
        )
        return
    typer.echo(f"{package} holds {read.identity.name} {read.identity.version} ({manifest.architecture}, {manifest.made_at}).")
    typer.echo(f"Its hashes hold and its graph gives the scores of its {len(read.golden.rows)} golden rows: it can be served.")
