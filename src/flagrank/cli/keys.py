"""`flagrank keys`: API keys, which are shown once and stored as hashes."""

import re
import sys
from typing import Annotated, Any

import msgspec
import typer

from flagrank.cli.output import AsJson, print_json

application = typer.Typer(no_args_is_help=True, help="Make, list and revoke API keys.")

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_MODERATOR_CHARS = 128

Name = Annotated[str, typer.Argument(metavar="NAME", help="The key's name.")]


@application.command()
def create(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="What to call it: 1 to 64 of A-Z a-z 0-9 . _ -")
    ],
    *,
    scope: Annotated[
        list[str],
        typer.Option(
            metavar="S...", help="What it allows: score, tasks, review, models, policy, admin, metrics."
        ),
    ],
    more_scopes: Annotated[list[str] | None, typer.Argument(metavar="S", hidden=True)] = None,
    moderator: Annotated[
        str | None, typer.Option(metavar="M", help="The one moderator that the key speaks for.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and show it, this once. From the first key on, requests without one are refused."""
    from flagrank.service.store import opened_store
    from flagrank.settings import load_settings
    from flagrank.storage.api_keys import StoredApiKeys
    from flagrank.triage.api_key import NewApiKey, Scope, hash_secret, make_secret
    from flagrank.triage.identifiers import IdentifierSource

    # Alike: --scope score tasks, --scope score,tasks and --scope score --scope tasks.
    words = {word for given in [*scope, *(more_scopes or ())] for word in given.split(",")}
    unknown = sorted(words.difference(Scope))
    if unknown:
        raise typer.BadParameter(f"--scope {unknown[0]} is none. Use {', '.join(Scope)}.")
    if not _NAME.fullmatch(name):
        raise typer.BadParameter("NAME takes 1 to 64 of the characters A-Z a-z 0-9 . _ -")
    if moderator is not None and not (moderator.isprintable() and 1 <= len(moderator) <= _MODERATOR_CHARS):
        raise typer.BadParameter("--moderator takes 1 to 128 characters, none of them a control character.")
    secret = make_secret()
    new = NewApiKey(
        key_id=IdentifierSource().make()[0],
        name=name,
        digest=hash_secret(secret.encode()),
        scopes=frozenset(map(Scope, words)),
        moderator=moderator,
    )
    with opened_store(load_settings({})) as database:
        made = StoredApiKeys(database).create(new)
    if as_json:
        print_json({"key": secret, **_describe(made)})
        return
    sys.stderr.write(f"The key {name} ({' '.join(sorted(words))}). It is shown this once: keep it.\n")
    typer.echo(secret)


@application.command(name="list")
def list_keys(*, as_json: AsJson = False) -> None:
    """List all keys, revoked ones too, oldest first; never the keys themselves."""
    from flagrank.service.store import opened_store
    from flagrank.settings import load_settings
    from flagrank.storage.api_keys import StoredApiKeys

    with opened_store(load_settings({})) as database:
        keys = StoredApiKeys(database).list_keys()
    if as_json:
        print_json({"keys": [_describe(key) for key in keys]})
        return
    for key in keys:
        state = f"revoked {key.revoked_at:%Y-%m-%d %H:%M}Z" if key.revoked_at else "in force"
        moderator = f"  moderator {key.moderator}" if key.moderator else ""
        made = f"{key.created_at:%Y-%m-%d %H:%M}Z"
        typer.echo(f"{key.name}  {' '.join(sorted(key.scopes))}  {made}  {state}{moderator}")
    if not keys:
        sys.stderr.write("There is no key. `flagrank keys create NAME --scope S` makes one.\n")


@application.command()
def revoke(name: Name, *, as_json: AsJson = False) -> None:
    """End a key; servers refuse it within two seconds. Revoking the last one opens nothing."""
    from flagrank.service.store import opened_store
    from flagrank.settings import load_settings
    from flagrank.storage.api_keys import StoredApiKeys

    with opened_store(load_settings({})) as database:
        revoked = StoredApiKeys(database).revoke(name)
    if as_json:
        print_json(_describe(revoked))
        return
    typer.echo(f"The key {name} is revoked.")


def _describe(key: msgspec.Struct) -> dict[str, Any]:
    described: dict[str, Any] = msgspec.to_builtins(key)
    return described | {"scopes": sorted(described["scopes"])}
