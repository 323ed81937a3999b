"""`flagrank model`: checking, publishing, promoting and listing model packages, and giving models roles."""

import sys
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from flagrank.cli.output import AsJson, print_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagrank.service.promotion import CheckedRegistry
    from flagrank.storage.engine import Database
    from flagrank.storage.model_registry import StoredModelRegistry
    from flagrank.triage.audit import AuditEntry, Change
    from flagrank.triage.model_registry import PublishedModel
    from flagrank.triage.shadow import ShadowSummary

application = typer.Typer(no_args_is_help=True, help="Check, publish, promote and list model packages.")

Version = Annotated[int, typer.Argument(metavar="VERSION", min=1, help="Its number in the registry.")]
Reason = Annotated[str | None, typer.Option(metavar="TEXT", help="Why; kept with the change.")]
SchemaFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="The schema file that the servers run with, where they have one."),
]


class GivenRole(StrEnum):
    """A role that can be given; the champion's comes by promotion."""

    CHALLENGER = "challenger"
    SHADOW = "shadow"
    NONE = "none"


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
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Verify a package and store it under the next version; the same package again keeps the one it has."""
    from flagrank.service.publication import publish_package

    with _opened_registry() as registry:
        model = publish_package(registry, package, _make_change(reason)).model
    if as_json:
        print_json(model)
        return
    version = model.version
    typer.echo(f"{model.name} is version {version}; `flagrank model promote {version}` makes it serve.")


@application.command()
def promote(
    version: Version,
    *,
    reason: Reason = None,
    force: Annotated[
        bool, typer.Option("--force", help="Even if it is clearly worse; give a reason.")
    ] = False,
    schema: SchemaFile = None,
    as_json: AsJson = False,
) -> None:
    """Make a version the champion: verified, and compared with the champion on the rows both have held out.

    A clear loss is refused unless forced; every server and worker serves the new one within two seconds.
    """
    if force and reason is None:
        raise typer.BadParameter("--force passes over a clear loss: say why with --reason TEXT.")
    with _opened_changes(schema) as changes:
        promoted = changes.promote(version, _make_change(reason), is_forced=force)
    if as_json:
        gate = promoted.gate and msgspec.structs.asdict(promoted.gate) | {"sentence": promoted.gate.sentence}
        print_json(msgspec.structs.asdict(promoted.model) | {"gate": gate})
        return
    typer.echo(f"{promoted.model.name} {promoted.model.version} is the champion.")
    if promoted.gate is not None:
        typer.echo(promoted.gate.sentence)


@application.command()
def rollback(*, reason: Reason = None, schema: SchemaFile = None, as_json: AsJson = False) -> None:
    """Return to the champion before; again, to the one before that. It is verified, and not compared."""
    with _opened_changes(schema) as changes:
        champion = changes.roll_back(_make_change(reason))
    if as_json:
        print_json(champion)
        return
    typer.echo(f"{champion.name} {champion.version} is the champion again.")


@application.command()
def role(
    version: Version,
    given: Annotated[GivenRole, typer.Argument(metavar="challenger|shadow|none", help="What it is to be.")],
    *,
    share: Annotated[
        float | None,
        typer.Option(
            metavar="P", help="A challenger's share of the reports, over 0, at most 1.", show_default="0.1"
        ),
    ] = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Let a version score a share of the reports (challenger), or silently beside the champion (shadow)."""
    from flagrank.triage.errors import ChangeRefused
    from flagrank.triage.model_registry import ModelRole, make_assignment

    try:
        assignment = make_assignment(ModelRole(given), share)
    except ChangeRefused as error:
        raise typer.BadParameter(error.detail) from error
    change = _make_change(reason)
    with _opened_registry() as registry:
        model = registry.give_role(version, assignment, change)
    if as_json:
        print_json(model)
        return
    typer.echo(f"{model.name} {model.version}: {_describe_role(model)}.")


@application.command()
def delete(version: Version, *, reason: Reason = None, as_json: AsJson = False) -> None:
    """Delete a version that has no role, and that no rollback returns to, with its package."""
    change = _make_change(reason)
    with _opened_registry() as registry:
        model = registry.delete(version, change)
    if as_json:
        print_json(model)
        return
    typer.echo(f"{model.name} {model.version} is deleted. Its number is not given again.")


@application.command(name="list")
def list_models(*, as_json: AsJson = False) -> None:
    """List published models, newest first."""
    with _opened_registry() as registry:
        models = registry.list_models()
    if as_json:
        print_json({"models": models})
        return
    for model in models:
        told = "" if model.role == "none" else f"  {_describe_role(model)}"
        typer.echo(f"{model.version}  {model.name}  {model.published_at:%Y-%m-%d %H:%M}Z{told}")
    if not models:
        sys.stderr.write("No model is published. `flagrank model publish DIR` does it.\n")


@application.command()
def show(version: Version, *, as_json: AsJson = False) -> None:
    """Show one version beside the champion: its figures, what was done to it, what it scored as a shadow."""
    from flagrank.cli.metrics_table import print_side_by_side
    from flagrank.storage.model_registry import StoredModelRegistry
    from flagrank.storage.shadow_log import StoredShadowLog

    with _opened_database() as database:
        registry = StoredModelRegistry(database)
        model, history = registry.read_model(version), registry.read_history(version)
        shadow, champion = StoredShadowLog(database).summarise(version), registry.read_champion()
    if as_json:
        print_json(msgspec.structs.asdict(model) | {"history": history, "shadow": shadow})
        return
    published = f"published {model.published_at:%Y-%m-%d %H:%M}Z"
    typer.echo(f"{model.name} {model.version} ({_describe_role(model)}), {published}")
    typer.echo(f"sha256 {model.sha256}")
    figures = {f"version {shown.version}": shown.metrics for shown in (model, champion or model)}
    print_side_by_side(figures)
    for entry in history:
        typer.echo(_describe_entry(entry))
    if shadow is not None:
        typer.echo(_describe_shadow(shadow))


@contextmanager
def _opened_database() -> "Iterator[Database]":
    from flagrank.service.store import opened_store
    from flagrank.settings import load_settings

    with opened_store(load_settings({})) as database:
        yield database


@contextmanager
def _opened_registry() -> "Iterator[StoredModelRegistry]":
    from flagrank.storage.model_registry import StoredModelRegistry

    with _opened_database() as database:
        yield StoredModelRegistry(database)


@contextmanager
def _opened_changes(schema_file: Path | None) -> "Iterator[CheckedRegistry]":
    from flagrank.service.checked_packages import no_packages_checked
    from flagrank.service.promotion import CheckedRegistry
    from flagrank.settings import load_schema

    schema = None if schema_file is None else load_schema(schema_file)
    with _opened_registry() as registry, no_packages_checked() as checked:
        yield CheckedRegistry(registry, checked, schema)


def _make_change(reason: str | None) -> "Change":
    from flagrank.service.operator import find_user
    from flagrank.triage.audit import make_change

    return make_change(find_user(), reason)


def _describe_role(model: "PublishedModel") -> str:
    return str(model.role) if model.share is None else f"{model.role} of {model.share:.3g} of the reports"


def _describe_entry(entry: "AuditEntry") -> str:
    changed = " -> ".join(_describe_state(state) for state in (entry.before, entry.after))
    reason = "" if entry.reason is None else f" ({entry.reason})"
    return f"{entry.at:%Y-%m-%d %H:%M:%S}Z  {entry.action} by {entry.actor}: {changed}{reason}"


def _describe_state(state: "Any") -> str:  # noqa: ANN401 - whatever an audit row holds
    return "nothing" if state is None else ", ".join(f"{name} {value}" for name, value in state.items())


def _describe_shadow(shadow: "ShadowSummary") -> str:
    rank = "unknown" if shadow.rank_correlation is None else f"{shadow.rank_correlation:.3f}"
    lower = "lower" if shadow.mean_difference < 0 else "higher"
    return (
        f"As a shadow of version {shadow.champion_version}, on {shadow.reports:,} sampled reports: "
        f"scores lie {shadow.mean_absolute_difference:.4f} apart, "
        f"its mean {abs(shadow.mean_difference):.4f} {lower}; rank correlation {rank}; "
        f"{100 * shadow.top_agreement:.0f} % of the champion's top 5 % are in its own."
    )
