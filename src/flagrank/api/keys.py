"""API keys as requests meet them: remembered in the process, so that checking one asks no database."""

import asyncio
from concurrent.futures import Executor

from starlette.types import Scope as AsgiScope

from flagrank.api.guard import OPEN_PATHS, OPEN_PREFIXES, Headers
from flagrank.api.problems import HttpProblem, make_no_key_problem, make_scope_problem
from flagrank.triage.api_key import ApiKey, ApiKeys, Scope, hash_secret

_BEARER = b"bearer "
_SCOPES = {
    "/prediction": Scope.SCORE,
    "/predict": Scope.TASKS,
    "/task": Scope.TASKS,
    "/metrics": Scope.METRICS,
    "/model": Scope.MODELS,
    "/queue": Scope.REVIEW,
    "/case": Scope.REVIEW,
    "/policy": Scope.POLICY,
}


class KeyRing:
    """The keys that requests came with, as long as the last `refresh` found them in force.

    `are_asked` from the first key ever made on. An unknown key is looked up, in the one thread of `executor`.
    """

    def __init__(self, keys: ApiKeys, executor: Executor) -> None:
        self._keys = keys
        self._executor = executor
        self._known: dict[bytes, ApiKey] = {}
        self.are_asked = False

    def refresh(self) -> None:
        """Forget keys that were revoked. Blocks; raises `StoreUnavailable`, and changes nothing then."""
        every = self._keys.list_keys()
        in_force = {key.key_id for key in every if key.revoked_at is None}
        for digest, key in list(self._known.items()):
            if key.key_id not in in_force:
                self._known.pop(digest, None)
        self.are_asked = bool(every)

    async def find_refusal(self, scope: AsgiScope, headers: Headers) -> HttpProblem | None:
        """Why a request is not answered; where it is, its key stands in `scope["state"]["api_key"]`."""
        path: str = scope["path"]
        if path in OPEN_PATHS or path.startswith(OPEN_PREFIXES):
            return None
        given = headers.get(b"authorization", b"")
        is_bearer = given[: len(_BEARER)].lower() == _BEARER
        key = await self.find(given[len(_BEARER) :].strip()) if is_bearer else None
        if key is None:
            return make_no_key_problem()
        scope["state"]["api_key"] = key
        needed = _SCOPES.get("/" + path.split("/", 2)[1])
        if needed is not None and needed not in key.scopes:
            return make_scope_problem(needed)
        return None

    async def find(self, secret: bytes) -> ApiKey | None:
        """The key in force with this secret."""
        digest = hash_secret(secret)
        key = self._known.get(digest)
        if key is None:
            key = await asyncio.get_running_loop().run_in_executor(
                self._executor, self._keys.find_key, digest
            )
            if key is not None:
                self._known[digest] = key
        return key
