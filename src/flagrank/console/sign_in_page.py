"""Signing in with a key, and out again."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from flagrank.console.access import Keys, find_key, forget_key, keep_key
from flagrank.console.navigation import CONSOLE, SCOPES, SIGN_IN
from flagrank.console.pages import Pages

FORM_BYTES = 4 * 2**10


class SignInPage:
    """The form that takes a key."""

    def __init__(self, pages: Pages, keys: Keys) -> None:
        self._pages = pages
        self._keys = keys

    def make_routes(self) -> list[Route]:
        """Below the console's own path."""
        return [
            Route("/sign-in", self.ask),
            Route("/sign-in", self.sign_in, methods=["POST"]),
            Route("/sign-out", self.sign_out, methods=["POST"]),
        ]

    async def ask(self, request: Request) -> Response:
        """The form; where no key is asked for, there is nothing to sign in to."""
        if not self._keys.are_asked:
            return RedirectResponse(CONSOLE, 303)
        return self._pages.show(request.scope, "sign_in.html.jinja", detail="")

    async def sign_in(self, request: Request) -> Response:
        """Keep a good key; say what is wrong with another."""
        async with request.form(max_files=0, max_fields=1, max_part_size=FORM_BYTES) as form:
            secret = str(form.get("key", "")).strip()
        key = await find_key(self._keys, secret)
        if key is None:
            detail = "No key in force is this one. Copy it again, or have one made by: flagrank keys create."
        elif key.scopes.isdisjoint(SCOPES):
            detail = f"This key has none of the scopes {', '.join(SCOPES)}. Have one made with what you need."
        else:
            response = RedirectResponse(CONSOLE, 303)
            keep_key(request, response, secret)
            return response
        return self._pages.show(request.scope, "sign_in.html.jinja", 403, detail=detail)

    async def sign_out(self, request: Request) -> Response:
        """Forget the key in this browser."""
        del request
        response = RedirectResponse(SIGN_IN, 303)
        forget_key(response)
        return response
