"""The pages of the policy: the active one, what another would change, and activating that."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import TypeVar

import msgspec
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from flagrank.console.navigation import POLICY
from flagrank.console.pages import Pages, find_status
from flagrank.console.uploads import limit_body
from flagrank.triage.audit import MAX_REASON_CHARS, AuditEntry, make_change, name_key
from flagrank.triage.errors import FlagrankError, PolicyConflict, PolicyRefused
from flagrank.triage.policy import Policy, PolicyChange, compare_policies
from flagrank.triage.policy_file import MAX_POLICY_BYTES, decode_policy, parse_policy
from flagrank.triage.policy_ports import PolicyStore, ShownPolicy, show_policy
from flagrank.triage.preview import Move, preview_ranking
from flagrank.triage.review_ports import QueueReading

MOST = 100  # rows of the history
TOP = 100  # cases whose places are compared
LOOKED_AT = 5_000  # of the most urgent: a quarter of a second's work
FORM_BYTES = 16 * 2**10  # what a form has beside the policy
SOURCE = "The policy"

_Answer = TypeVar("_Answer")


class Draft(msgspec.Struct, frozen=True):
    """A policy as a form sent it, and what was said of it; `replacing` is the version that was looked at."""

    toml: str
    replacing: str = ""
    reason: str = ""


class Preview(msgspec.Struct, frozen=True):
    """How the first `top` cases of the queue would change; `n_cases` of the most urgent were looked at."""

    top: int
    n_cases: int
    n_coming: int  # into the first ones, and as many leave them
    moves: Sequence[Move]  # of those that change their place


class Comparison(msgspec.Struct, frozen=True):
    """What a policy would change, and of which one."""

    active: ShownPolicy
    name: str
    changes: Sequence[PolicyChange]
    preview: Preview


class PolicyPages:
    """Reads and activates policies through the port, which is asked in `executor`."""

    def __init__(self, pages: Pages, store: PolicyStore, queue: QueueReading, executor: Executor) -> None:
        self._pages = pages
        self._store = store
        self._queue = queue
        self._executor = executor

    def make_routes(self) -> list[Route]:
        """Below the console's own path."""
        return [
            Route("/policy", self.show),
            Route("/policy", self.activate, methods=["POST"]),
            Route("/policy/changes", self.compare, methods=["POST"]),
            Route("/policy/{version:int}", self.compare_version),
        ]

    async def show(self, request: Request) -> Response:
        """The active policy, a form for another, and the history."""
        return await self._show(request, None)

    async def compare(self, request: Request) -> Response:
        """What the policy of the form would change, or the form again with what is wrong in it."""
        draft = Draft("")
        try:
            draft = await self._read(request)
            parse_policy(draft.toml, SOURCE, 1)
        except FlagrankError as error:
            return await self._show(request, draft, error)
        return await self._ask_about(request, draft)

    async def compare_version(self, request: Request) -> Response:
        """What activating an older version again would change."""
        version: int = request.path_params["version"]
        shown = await self._ask(partial(show_policy, self._store, version))
        if shown.versions[0].version == version:
            return RedirectResponse(POLICY, 303)
        return await self._ask_about(request, Draft(shown.toml))

    async def activate(self, request: Request) -> Response:
        """Activate it, where what was looked at still stands; else ask again with what is wrong."""
        draft = await self._read(request)
        try:
            await self._activate(request, draft)
        except PolicyRefused as error:
            return await self._show(request, draft, error)
        except FlagrankError as error:
            return await self._ask_about(request, draft, error)
        return RedirectResponse(POLICY, 303)

    async def _activate(self, request: Request, draft: Draft) -> None:
        key = request.scope["state"].get("console_key")
        change = make_change(name_key(key), draft.reason or None)
        if not (draft.replacing.isascii() and draft.replacing.isdigit() and len(draft.replacing) <= 10):
            raise PolicyConflict("The form does not say which policy it was compared with. Look at it again.")
        activate = partial(self._store.activate, draft.toml, SOURCE, change, replacing=int(draft.replacing))
        await self._ask(activate)

    async def _read(self, request: Request) -> Draft:
        """The fields of a form; a file goes before what was typed."""
        limited = limit_body(request, MAX_POLICY_BYTES + FORM_BYTES, "A policy is shorter.")
        form = limited.form(max_files=1, max_fields=3, max_part_size=MAX_POLICY_BYTES + FORM_BYTES)
        async with form as fields:
            toml = decode_policy(await _read_toml(fields), SOURCE)
            return Draft(toml, *(str(fields.get(name, "")).strip() for name in ("replacing", "reason")))

    async def _show(
        self, request: Request, draft: Draft | None, error: FlagrankError | None = None
    ) -> Response:
        shown, history = await self._ask(self._read_page)
        return self._pages.show(
            request.scope,
            "policy.html.jinja",
            200 if error is None else find_status(error),
            shown=shown,
            toml=shown.toml if draft is None else draft.toml,
            history=history,
            detail="" if error is None else error.detail,
            fields=() if error is None else error.fields,
        )

    async def _ask_about(
        self, request: Request, draft: Draft, error: FlagrankError | None = None
    ) -> Response:
        found = await self._ask(partial(self._compare, draft.toml))
        return self._pages.show(
            request.scope,
            "policy_change.html.jinja",
            200 if error is None else find_status(error),
            found=found,
            draft=draft,
            detail="" if error is None else error.detail,
            reason_chars=MAX_REASON_CHARS,
        )

    def _read_page(self) -> tuple[ShownPolicy, Sequence[AuditEntry]]:
        return show_policy(self._store, None), self._store.read_history(MOST)

    def _compare(self, toml: str) -> Comparison:
        active = show_policy(self._store, None)
        before, after = parse_policy(active.toml, active.policy, 1), parse_policy(toml, SOURCE, 1)
        return Comparison(active, after.name, compare_policies(before, after), self._preview(after))

    def _preview(self, policy: Policy) -> Preview:
        cases = self._queue.list_evidence(LOOKED_AT)
        moves = preview_ranking(cases, policy, TOP)
        coming = sum(move.place > TOP for move in moves)
        return Preview(TOP, len(cases), coming, [move for move in moves if move.place != move.place_then])

    async def _ask(self, ask: Callable[[], _Answer]) -> _Answer:
        return await asyncio.get_running_loop().run_in_executor(self._executor, ask)


async def _read_toml(form: FormData) -> bytes:
    file = form.get("file")
    if isinstance(file, UploadFile) and file.filename:
        return await file.read()
    return str(form.get("toml", "")).encode()
