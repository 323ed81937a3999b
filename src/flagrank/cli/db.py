"""`flagrank db`: the tables of the database, and which version they have."""

import typer

from flagrank.cli.output import AsJson, print_json

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
        print_json({"before": before.current, "current": before.newest})
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
        print_json({"current": found.current, "newest": found.newest, "is_current": found.is_current})
        return
    advice = "" if found.is_current else " Run `flagrank db upgrade`."
    if not found.is_known:
        advice = " Install the flagrank that made them, or a later one."
    typer.echo(f"The tables have version {found.current or 'none'}, flagrank needs {found.newest}.{advice}")
