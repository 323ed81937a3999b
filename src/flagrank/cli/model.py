"""`flagrank model`: checking, publishing, promoting and listing model packages."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from flagrank.cli.output import AsJson, print_json

if TYPE_CHECKING:
    from flagrank.triage.model_registry import PublishedModel

application = typer.Typer(no_args_is_help=True, help="Check, publish, promote and list model packages.")

Version = Annotated[int, typer.Argument(metavar="VERSION", min=1, help="Its number in the registry.")]


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


@application.command()
def publish(
    package: Annotated[Path, typer.Argument(metavar="DIR", help="A package: a directory, or a .zip of one.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Verify a package and store it under the next version; the same package again keeps the one it has."""
    from flagrank.service.publication import publish_package
    from flagrank.service.store import opened_store
    from flagrank.settings import load_settings
    from flagrank.storage.model_registry import StoredModelRegistry

    with opened_store(load_settings({})) as database:
        published = publish_package(StoredModelRegistry(database), package)
    if as_json:
        print_json(describe_model(published))
        return
    typer.echo(f"{published.name} is version {published.version}; `flagrank model promote` makes it serve.")


@application.command()
def promote(version: Version, *, as_json: AsJson = False) -> None:
    """Make a published version the champion; every server and worker serves it within two seconds."""
    from flagrank.service.store import opened_store
    from flagrank.settings import load_settings
    from flagrank.storage.model_registry import StoredModelRegistry

    with opened_store(load_settings({})) as database:
        champion = StoredModelRegistry(database).promote(version)
    if as_json:
        print_json(describe_model(champion))
        return
    typer.echo(f"{champion.name} {champion.version} is the champion.")


@application.command(name="list")
def list_models(*, as_json: AsJson = False) -> None:
    """List published models, newest first."""
    from flagrank.service.store import opened_store
    from flagrank.settings import load_settings
    from flagrank.storage.model_registry import StoredModelRegistry

    with opened_store(load_settings({})) as database:
        models = StoredModelRegistry(database).list_models()
    if as_json:
        print_json({"models": [describe_model(model) for model in models]})
        return
    for model in models:
        role = "" if model.role == "none" else f"  {model.role}"
        typer.echo(f"{model.version}  {model.name}  {model.published_at:%Y-%m-%d %H:%M}Z{role}")
    if not models:
        sys.stderr.write("No model is published. `flagrank model publish DIR` does it.\n")


@application.command()
def show(version: Version, *, as_json: AsJson = False) -> None:
    """Show one published version and its figures."""
    from flagrank.service.store import opened_store
    from flagrank.settings import load_settings
    from flagrank.storage.model_registry import StoredModelRegistry

    with opened_store(load_settings({})) as database:
        model = StoredModelRegistry(database).read_model(version)
    if as_json:
        print_json(describe_model(model))
        return
    typer.echo(f"{model.name} {model.version} ({model.role}), published {model.published_at:%Y-%m-%d %H:%M}Z")
    typer.echo(f"sha256 {model.sha256}")
    for name, metric in model.metrics.items():
        typer.echo(f"{name}  {metric.get('value') if isinstance(metric, dict) else metric}")


def describe_model(model: "PublishedModel") -> dict[str, Any]:
    """A published model as `GET /model` has it."""
    described: dict[str, Any] = msgspec.to_builtins(model)
    return {
        "name": model.name,
        "version": model.version,
        "role": model.role,
        "share": None,
        **{name: described[name] for name in ("sha256", "published_at", "metrics")},
    }
