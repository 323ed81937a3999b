"""Changing models: each change is asked about first, and done as over HTTP, with the same checks."""

from functools import partial

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from flagrank.console.model_pages import ModelParts, read_version
from flagrank.console.model_questions import (
    Answers,
    ChangeKind,
    Question,
    ask_about,
    ask_to_roll_back,
    read_answers,
    read_share,
)
from flagrank.console.navigation import MODELS
from flagrank.console.pages import Pages, find_status
from flagrank.triage.audit import MAX_REASON_CHARS, Change, make_change, name_key
from flagrank.triage.errors import ChangeRefused, FlagrankError, GateRefused
from flagrank.triage.model_registry import ModelRole, PublishedModel, make_assignment

_ROLES = {
    ChangeKind.CHALLENGER: ModelRole.CHALLENGER,
    ChangeKind.SHADOW: ModelRole.SHADOW,
    ChangeKind.END_ROLE: ModelRole.NONE,
}


class ModelChanges:
    """The forms that ask, and what is done when they are sent."""

    def __init__(self, pages: Pages, parts: ModelParts) -> None:
        self._pages = pages
        self._parts = parts

    def make_routes(self) -> list[Route]:
        """Below the console's own path; they go before that of one version."""
        return [
            Route("/models/rollback", self.ask_to_roll_back),
            Route("/models/rollback", self.roll_back, methods=["POST"]),
            Route("/models/{version}/{kind}", self.ask),
            Route("/models/{version}/{kind}", self.change, methods=["POST"]),
        ]

    async def ask(self, request: Request) -> Response:
        """Ask before a version is changed."""
        question = await self._ask_about(_read_kind(request), read_version(request))
        return self._show(request, question, Answers())

    async def change(self, request: Request) -> Response:
        """Change it, or ask again with what is wrong; what was written stays in the form."""
        kind, version = _read_kind(request), read_version(request)
        answers = await read_answers(request)
        try:
            await self._change(request, kind, version, answers)
        except FlagrankError as error:
            return self._show(request, await self._ask_about(kind, version), answers, error)
        return RedirectResponse(MODELS if kind is ChangeKind.DELETE else f"{MODELS}/{version}", 303)

    async def ask_to_roll_back(self, request: Request) -> Response:
        """Ask before the champion before serves again."""
        return self._show(request, await self._ask_about_rollback(), Answers())

    async def roll_back(self, request: Request) -> Response:
        """Return to the version that the form named, if it still is the champion before."""
        answers = await read_answers(request)
        try:
            champion = await self._roll_back(request, answers)
        except FlagrankError as error:
            return self._show(request, await self._ask_about_rollback(), answers, error)
        return RedirectResponse(f"{MODELS}/{champion.version}", 303)

    async def _change(self, request: Request, kind: ChangeKind, version: int, answers: Answers) -> None:
        change = _make_change(request, answers)
        parts = self._parts
        if kind is ChangeKind.PROMOTE:
            promote = partial(parts.checked.promote, version, change, is_forced=answers.is_forced)
            await parts.work(promote)
        elif kind is ChangeKind.DELETE:
            await parts.ask(partial(parts.registry.delete, version, change))
        else:
            share = read_share(answers.share) if kind is ChangeKind.CHALLENGER else None
            assignment = make_assignment(_ROLES[kind], share)
            await parts.ask(partial(parts.registry.give_role, version, assignment, change))

    async def _roll_back(self, request: Request, answers: Answers) -> PublishedModel:
        if not (answers.to.isascii() and answers.to.isdigit() and len(answers.to) <= 10):
            raise ChangeRefused("The form does not say which version to return to. Look at this page again.")
        change = _make_change(request, answers)
        return await self._parts.work(partial(self._parts.checked.roll_back, change, to=int(answers.to)))

    async def _ask_about(self, kind: ChangeKind, version: int) -> Question:
        registry = self._parts.registry
        return await self._parts.ask(
            lambda: ask_about(kind, registry.read_model(version), registry.read_active())
        )

    async def _ask_about_rollback(self) -> Question:
        registry = self._parts.registry
        return await self._parts.ask(
            lambda: ask_to_roll_back(registry.read_champion(), registry.read_champion_before())
        )

    def _show(
        self, request: Request, question: Question, answers: Answers, error: FlagrankError | None = None
    ) -> Response:
        return self._pages.show(
            request.scope,
            "model_change.html.jinja",
            200 if error is None else find_status(error),
            question=question,
            answers=answers,
            detail="" if error is None else error.detail,
            can_force=isinstance(error, GateRefused) or answers.is_forced,
            reason_chars=MAX_REASON_CHARS,
        )


def _read_kind(request: Request) -> ChangeKind:
    try:
        return ChangeKind(request.path_params["kind"])
    except ValueError as error:
        raise HTTPException(404) from error


def _make_change(request: Request, answers: Answers) -> Change:
    return make_change(name_key(request.scope["state"].get("console_key")), answers.reason or None)
