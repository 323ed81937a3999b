"""Assembles the console: pages, assets, and a page that answers every error."""

from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flagrank.console.access import AccessCheck, Keys
from flagrank.console.case_pages import CasePages
from flagrank.console.lead_pages import LeadPages
from flagrank.console.model_changes import ModelChanges
from flagrank.console.model_pages import ModelPages, ModelParts
from flagrank.console.moderator import ModeratorPage
from flagrank.console.navigation import CONSOLE, SECTIONS
from flagrank.console.pages import FOLDER, SECURITY_HEADERS, Pages, find_status
from flagrank.console.policy_pages import PolicyPages
from flagrank.console.queue_news import watch_queue
from flagrank.console.queue_pages import QueuePages
from flagrank.console.review_desk import ReviewDesk
from flagrank.console.review_parts import ReviewParts
from flagrank.console.sign_in_page import SignInPage
from flagrank.console.submission_page import SubmissionPage, Submit
from flagrank.console.task_pages import TaskPages
from flagrank.triage.api_key import ApiKey
from flagrank.triage.errors import FlagrankError
from flagrank.triage.feature_schema import FeatureSchema
from flagrank.triage.policy import Policy
from flagrank.triage.policy_ports import PolicyStore
from flagrank.triage.task_ports import TaskChanges, TaskReading

_SENTENCES = {
    404: "There is no page at this address. Go back to the console.",
    405: "This page does not take this method. Go back to the console.",
}
_FAULT = "This is a fault of ours, and it is in our log. Report it with the time."


def create_console(
    reading: TaskReading,
    changes: TaskChanges,
    submit: Submit,
    models: ModelParts,
    review: ReviewParts,
    *,
    policies: PolicyStore,
    keys: Keys,
    find_schema: Callable[[], FeatureSchema | None],
    find_policy: Callable[[], Policy],
    executor: Executor,
    limit_bytes: int,
    is_ending: Callable[[], bool],
) -> ASGIApp:
    """The application below `/console`, whole paths in its scope; the store is asked in `executor`.

    `submit` commits a task; `find_schema` gives the schema that files are read by now, None while nothing
    serves; files have at most `limit_bytes`; streams end where `is_ending()`. It needs `scope["state"]` to be
    a dict.
    """
    pages = Pages()
    routes = [
        Route("/", _lead_on),
        *SignInPage(pages, keys).make_routes(),
        *QueuePages(pages, review, watch_queue(review, is_ending), find_schema).make_routes(),
        *LeadPages(pages, review, is_ending).make_routes(),
        *ReviewDesk(pages, review).make_routes(),
        *ModeratorPage(pages).make_routes(),
        *CasePages(pages, review).make_routes(),
        *TaskPages(pages, reading, changes, executor).make_routes(),
        *SubmissionPage(pages, submit, find_schema, find_policy, limit_bytes=limit_bytes).make_routes(),
        *PolicyPages(pages, policies, review.reading, executor).make_routes(),
        *ModelChanges(pages, models).make_routes(),
        *ModelPages(pages, models).make_routes(),
        Mount("/assets", StaticFiles(directory=FOLDER / "assets")),
    ]
    answer = partial(_answer_error, pages)
    application = Starlette(
        routes=[
            Route(CONSOLE, _lead_in),
            # Here, and not around it all, so that what goes wrong in the check is answered with a page, too.
            Mount(CONSOLE, routes=routes, middleware=[Middleware(AccessCheck, keys=keys)]),
        ],
        exception_handlers={FlagrankError: answer, HTTPException: answer, Exception: answer},
    )
    return _Hardened(application)


async def _lead_in(_: Request) -> Response:
    return RedirectResponse(f"{CONSOLE}/", 303)


async def _lead_on(request: Request) -> Response:
    """To the first page that whoever signed in may see."""
    key: ApiKey | None = request.scope["state"].get("console_key")
    first = next(section for section in SECTIONS if key is None or section.opens_to(key.scopes))
    return RedirectResponse(first.path, 303)


async def _answer_error(pages: Pages, request: Request, error: Exception) -> Response:
    match error:
        case FlagrankError():
            status, detail, fields = find_status(error), error.detail, error.fields
        case HTTPException():
            status, detail, fields = error.status_code, _SENTENCES.get(error.status_code, error.detail), ()
        case _:
            status, detail, fields = 500, _FAULT, ()
    if request.headers.get("accept") == "application/json":  # a script asks
        return JSONResponse({"detail": detail}, status)
    return pages.show_refusal(request.scope, status, detail, fields)


class _Hardened:
    """Puts the headers on every answer that keep other sites and scripts out."""

    def __init__(self, application: ASGIApp) -> None:
        self._application = application
        self._added = [(name.encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_hardened(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self._added]
            await send(message)

        await self._application(scope, receive, send_hardened)
