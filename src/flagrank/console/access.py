"""Who may see the pages: while keys exist, whoever signed in with one of the page's scope."""

from typing import Protocol

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from flagrank.console.navigation import CONSOLE, SCOPES, SIGN_IN, find_section
from flagrank.triage.api_key import ApiKey

COOKIE = "flagrank_key"
OPEN_PREFIXES = (SIGN_IN, f"{CONSOLE}/sign-out", f"{CONSOLE}/assets/")


class Keys(Protocol):
    """The API's keys."""

    @property
    def are_asked(self) -> bool:
        """Whether a key was ever made, so that one is needed."""
        ...

    async def find(self, secret: bytes) -> ApiKey | None:
        """The key in force with this secret."""
        ...


class AccessCheck:
    """Lets a request on whose cookie is a key; the key stands in `scope["state"]["console_key"]` then.

    The cookie holds the key itself, so that revoking it ends the session on every server at once. It goes to
    the console only, by no script, and never along with a request that another site caused.
    """

    def __init__(self, app: ASGIApp, keys: Keys) -> None:
        """`app` is starlette's name for what comes behind."""
        self._application = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        request = Request(scope)
        if self._keys.are_asked and not scope["path"].startswith(OPEN_PREFIXES):
            key = await find_key(self._keys, request.cookies.get(COOKIE, ""))
            if key is None or key.scopes.isdisjoint(SCOPES):
                await _send_to_sign_in(request)(scope, receive, send)
                return
            scope["state"]["console_key"] = key
            section = find_section(scope["path"])
            if section is not None and not section.opens_to(key.scopes):
                raise HTTPException(
                    403,
                    f"Your key lacks the scope {section.scope}, which this page needs. Sign in with another.",
                )
        await self._application(scope, receive, send)


async def find_key(keys: Keys, secret: str) -> ApiKey | None:
    """The key in force with this secret, or None; nothing is looked up for what can't be one."""
    return await keys.find(secret.encode()) if secret and secret.isascii() else None


def keep_key(request: Request, response: Response, secret: str) -> None:
    """Set the cookie; over TLS, also behind a proxy that says so, it never travels without."""
    is_secure = "https" in {request.url.scheme, request.headers.get("x-forwarded-proto")}
    response.set_cookie(COOKIE, secret, path=CONSOLE, httponly=True, samesite="strict", secure=is_secure)


def forget_key(response: Response) -> None:
    """Take the cookie back."""
    response.delete_cookie(COOKIE, path=CONSOLE, httponly=True, samesite="strict")


def _send_to_sign_in(request: Request) -> Response:
    if "hx-request" in request.headers:  # a redirect would put the sign-in page into a part of this one
        return Response(status_code=204, headers={"hx-redirect": SIGN_IN})
    return RedirectResponse(SIGN_IN, 303)
