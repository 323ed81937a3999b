"""Who may ask: while no key exists, only this machine, by a name that no web page can take for itself."""

from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from flagrank.api.problems import HttpProblem, send_problem

HEALTH_PATHS = frozenset({"/heartbeat", "/livez", "/readyz"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Guard:
    """ASGI middleware: refuses foreign hosts and proxies (403 `foreign_host`) and foreign origins (403 `foreign_origin`).

    A page on the web can point its own name at 127.0.0.1 (DNS rebinding), and a proxy on this machine makes the whole
    internet look local; both show in the headers.
    """

    def __init__(self, app: ASGIApp, allowed_hosts: Collection[str]) -> None:
        self._app = app
        self._allowed_hosts = frozenset(host.lower() for host in allowed_hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        refusal = None
        if scope["path"] not in HEALTH_PATHS:
            headers = dict(scope["headers"])
            refusal = self._find_foreign_host(headers) or self._find_foreign_origin(scope["method"], headers)
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            await send_problem(scope, send, refusal)

    def _find_foreign_host(self, headers: dict[bytes, bytes]) -> HttpProblem | None:
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if _without_port(host) not in self._allowed_hosts:
            return HttpProblem(
                403,
                "foreign_host",
                "While no key exists, this server answers to its local names only, and the request's Host is another. "
                "Ask by http://127.0.0.1, or add the name to the setting allowed_hosts.",
            )
        if any(name == b"forwarded" or name.startswith(b"x-forwarded-") for name in headers):
            return HttpProblem(
                403,
                "foreign_host",
                "While no key exists, requests that a proxy has forwarded are refused: they may come from anywhere. "
                "Ask the server directly.",
            )
        return None

    @staticmethod
    def _find_foreign_origin(method: str, headers: dict[bytes, bytes]) -> HttpProblem | None:
        if method in SAFE_METHODS:
            return None
        origin = headers.get(b"origin")
        is_foreign = origin is not None and urlsplit(origin).netloc.lower() != headers.get(b"host", b"").lower()
        if is_foreign or headers.get(b"sec-fetch-site") == b"cross-site":
            return HttpProblem(
                403,
                "foreign_origin",
                "The request comes from a page of another site. Send it from a page of this server, or from a program.",
            )
        return None


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]
