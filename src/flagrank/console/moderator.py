"""Who reviews in this browser: the moderator of the key, else a name that is asked for once."""

from urllib.parse import quote, unquote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from flagrank.console.navigation import CONSOLE, REVIEW
from flagrank.console.pages import Pages
from flagrank.triage.api_key import ApiKey
from flagrank.triage.feature_schema import is_plain_text
from flagrank.triage.review import MAX_NAME_CHARS

COOKIE = "flagrank_moderator"
NAME = f"{REVIEW}/name"
FORM_BYTES = 4 * 2**10
_KEPT_SECONDS = 400 * 24 * 3_600  # the longest that browsers keep one


def find_moderator(request: Request) -> str | None:
    """The moderator's name; None where it has to be asked for."""
    named = find_named(request)
    if named is not None:
        return named
    name = unquote(request.cookies.get(COOKIE, ""))
    return name if is_plain_text(name, MAX_NAME_CHARS) else None


def find_named(request: Request) -> str | None:
    """The name that the signed-in key carries: no other will do."""
    key: ApiKey | None = request.scope["state"].get("console_key")
    return None if key is None else key.moderator


class ModeratorPage:
    """The form that asks for the name."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def make_routes(self) -> list[Route]:
        """Below the console's own path."""
        return [
            Route("/review/name", self.ask),
            Route("/review/name", self.keep, methods=["POST"]),
        ]

    async def ask(self, request: Request) -> Response:
        """The form, with the name that is kept."""
        if find_named(request) is not None:
            return RedirectResponse(REVIEW, 303)
        return self._pages.show(
            request.scope, "moderator.html.jinja", name=find_moderator(request) or "", detail=""
        )

    async def keep(self, request: Request) -> Response:
        """Keep it in this browser, or ask again."""
        async with request.form(max_files=0, max_fields=1, max_part_size=FORM_BYTES) as form:
            name = str(form.get("name", "")).strip()
        if not is_plain_text(name, MAX_NAME_CHARS):
            detail = f"A name has 1 to {MAX_NAME_CHARS} characters, none a control character. Write another."
            return self._pages.show(request.scope, "moderator.html.jinja", 422, name=name, detail=detail)
        response = RedirectResponse(REVIEW, 303)
        response.set_cookie(
            COOKIE, quote(name), _KEPT_SECONDS, path=CONSOLE, httponly=True, samesite="strict"
        )
        return response
