"""`flagrank policy`: the numbers of the ranking that people choose: showing, checking and activating them."""

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flagrank.cli import policy_fit
from flagrank.cli.output import AsJson, print_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagrank.storage.policies import StoredPolicies

application = typer.Typer(
    no_args_is_help=True,
    help="Show, check, fit and activate the policy: severities, deadlines, every number of the ranking.",
    epilog="Begin with a copy: `flagrank policy show > policy.toml`; change it, then `diff` and `activate`.",
)

PolicyFile = Annotated[Path, typer.Argument(metavar="FILE", help="A whole policy, in TOML.")]


@application.command()
def show(
    *,
    version: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Another version than the active one.", show_default="active"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print the active policy as TOML, as it was activated; who did so is told on standard error."""
    from flagrank.triage.policy_ports import show_policy

    with opened_policies() as policies:
        shown = show_policy(policies, version)
    if as_json:
        print_json(shown)
        return
    when = "the built-in policy"
    if shown.activated_at is not None:
        when = f"activated {shown.activated_at:%Y-%m-%d %H:%M}Z by {shown.activated_by}"
    others = ", ".join(one.policy for one in shown.versions if one.version != shown.version)
    sys.stderr.write(f"{shown.policy}, {when}" + (f"; there are also {others}\n" if others else "\n"))
    typer.echo(shown.toml, nl=not shown.toml.endswith("\n"))


@application.command()
def check(file: PolicyFile, *, as_json: AsJson = False) -> None:
    """Say whether a file is a policy, or every place in it that is wrong. Needs no database.

    A policy has every key of the built-in one: a file that leaves some out is refused.
    """
    from flagrank.triage.policy_file import parse_policy

    policy = parse_policy(_read(file), str(file), 1)
    if as_json:
        print_json({"name": policy.name, "reasons": list(policy.severities)})
        return
    typer.echo(f"{file} is a policy: {policy.name}, with {len(policy.severities)} reasons.")


@application.command()
def diff(file: PolicyFile, *, as_json: AsJson = False) -> None:
    """Print every number that a file has otherwise than the active policy; changes nothing."""
    from flagrank.triage.policy import compare_policies, show_value
    from flagrank.triage.policy_file import parse_policy

    policy = parse_policy(_read(file), str(file), 1)
    with opened_policies() as policies:
        active = policies.read_active()
    changes = compare_policies(active, policy)
    if as_json:
        print_json({"before": active.label, "after": policy.name, "changes": changes})
        return
    for change in changes:
        typer.echo(f"{change.path}: {show_value(change.before)} -> {show_value(change.after)}")
    if not changes:
        typer.echo(f"{file} has every number of {active.label}.")


@application.command()
def activate(
    file: PolicyFile,
    *,
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="Why; kept with the change.")] = None,
    as_json: AsJson = False,
) -> None:
    """Rank by this file from now on: every server and worker does within two seconds, with no restart.

    It is checked as a whole, and gets the next number, or the one that the same text already has: so an older
    policy, as `show --version N` prints it, is activated again.
    """
    from flagrank.service.operator import find_user
    from flagrank.triage.audit import make_change

    toml, change = _read(file), make_change(find_user(), reason)
    with opened_policies() as policies:
        label = policies.activate(toml, str(file), change).label
    if as_json:
        print_json({"policy": label})
        return
    typer.echo(f"{label} is active: every server and worker ranks by it within two seconds.")


application.command()(policy_fit.fit)


@contextmanager
def opened_policies() -> "Iterator[StoredPolicies]":
    """The policies of the database that settings name."""
    from flagrank.service.store import opened_store
    from flagrank.settings import load_settings, read_default_policy
    from flagrank.storage.policies import StoredPolicies

    with opened_store(load_settings({})) as database:
        yield StoredPolicies(database, read_default_policy())


def _read(file: Path) -> str:
    from flagrank.triage.errors import PolicyRefused
    from flagrank.triage.policy_file import MAX_POLICY_BYTES, decode_policy

    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_POLICY_BYTES + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise PolicyRefused(f"{file} can't be read: {why}. Name a policy's TOML file.") from error
    return decode_policy(content, str(file))
