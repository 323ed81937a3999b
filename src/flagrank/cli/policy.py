"""`flagrank policy`: the rules of ranking."""

import typer

from flagrank.cli import policy_fit

application = typer.Typer(no_args_is_help=True, help="Fit the rules of ranking.")


@application.callback()
def _group() -> None:
    """Stay a group with one command."""


application.command()(policy_fit.fit)
