"""`flagrank db`: the tables of the database, and which version they have."""

from typing import TYPE_CHECKING

import typer

from flagrank.cli.output import AsJson, print_json

if TYPE_CHECKING:
    from flagrank.storage.schema import SchemaStatus

application = typer.Typer(no_args_is_help=True, help="Upgrade the database and look at its version.")


@application.command()
def upgrade(*, as_json: AsJson = False) -> None:
    """Bring the tables to the version that this flagrank needs; servers may go on running meanwhile."""
    from flagrank.service.store import opened_database
    from flagrank.settings import load_settings
    from flagrank.storage.schema import upgrade_schema

    with opened_database(load_settings({})) as database:
        before = upgrade_schema(database)
    if as_json:
        print_json({"before": before.current, "current": _name_current(before)})
    elif before.still_serves:
        typer.echo(f"The tables have version {before.current}, a newer one that still serves this flagrank.")
    elif before.is_current:
        typer.echo(f"The tables have version {before.newest} already.")
    else:
        typer.echo(f"The tables have version {before.newest} now; before: {before.current or 'none'}.")


@application.command()
def status(*, as_json: AsJson = False) -> None:
    """Tell which version the tables have, and which one this flagrank needs; changes nothing."""
    from flagrank.service.store import look_at_schema
    from flagrank.settings import load_settings

    found = look_at_schema(load_settings({}))
    if as_json:
        print_json(
            {
                "current": found.current,
                "newest": found.newest,
                "is_current": found.is_current,
                "is_usable": found.is_usable,
            }
        )
        return
    typer.echo(
        f"The tables have version {found.current or 'none'}, flagrank needs {found.newest}.{_advise(found)}"
    )


def _name_current(before: "SchemaStatus") -> str | None:
    """The version after an upgrade."""
    return before.current if before.still_serves else before.newest


def _advise(found: "SchemaStatus") -> str:
    if found.is_current:
        return ""
    if found.still_serves:
        return " They are newer, and still serve it."
    if not found.is_known:
        return " Install the flagrank that made them, or a later one."
    return " Run `flagrank db upgrade`."
