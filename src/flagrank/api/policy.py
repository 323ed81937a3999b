"""`/policy`: the policy that ranks, and activating another."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from typing import TypeVar

import msgspec
from starlette.types import Receive, Scope

from flagrank.api.query import read_query, read_version
from flagrank.api.reply import Reply, encode_json
from flagrank.api.request_body import BodyReader
from flagrank.triage.audit import make_change, name_key
from flagrank.triage.policy_file import MAX_POLICY_CHARS, decode_policy
from flagrank.triage.policy_ports import PolicyStore, show_policy

TOML = b"application/toml"
TOO_LONG = f"A policy has at most {MAX_POLICY_CHARS:,} characters."
SOURCE = "The policy"  # what its faults are told of

_Answer = TypeVar("_Answer")


class Activated(msgspec.Struct, frozen=True):
    """The policy that is active now."""

    policy: str


class PolicyRoutes:
    """What is answered about policies; the store is asked in `executor`."""

    def __init__(self, store: PolicyStore, executor: Executor, reader: BodyReader) -> None:
        self._store = store
        self._executor = executor
        self._reader = reader

    async def show(self, scope: Scope, _receive: Receive) -> Reply:
        """`GET /policy`: the active one, or the `version` asked for; its TOML alone by `Accept`."""
        version = read_version(read_query(scope, ("version",)))
        shown = await self._ask(partial(show_policy, self._store, version))
        if TOML in scope["state"]["headers"].get(b"accept", b"").lower():
            return Reply(shown.toml.encode(), content_type=TOML)
        return Reply(encode_json(shown))

    async def activate(self, scope: Scope, receive: Receive) -> Reply:
        """`PUT /policy`."""
        reason = read_query(scope, ("reason",)).get("reason")
        change = make_change(name_key(scope["state"].get("api_key")), reason)
        toml = decode_policy(await self._reader.read(scope, receive), SOURCE)
        activated = await self._ask(partial(self._store.activate, toml, SOURCE, change))
        return Reply(encode_json(Activated(activated.label)))

    async def _ask(self, ask: Callable[[], _Answer]) -> _Answer:
        return await asyncio.get_running_loop().run_in_executor(self._executor, ask)
