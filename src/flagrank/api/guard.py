"""Who may ask: while no key exists, only this machine, by a name that no web page can take for itself."""

import re
from collections.abc import Collection, Mapping

from starlette.types import Scope

from flagrank.api.problems import HttpProblem, make_origin_problem

# They ask for no key: they tell nothing of the data.
OPEN_PATHS = frozenset({"/heartbeat", "/livez", "/readyz", "/docs", "/openapi.json", "/console"})
OPEN_PREFIXES = ("/docs/assets/", "/console/")  # the console asks for a key by itself, in a cookie
HEALTH_PATHS = frozenset({"/heartbeat", "/livez", "/readyz"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
ONCE = frozenset(
    {
        *(b"host", b"content-type", b"content-encoding", b"origin", b"x-request-id"),
        *(b"authorization", b"idempotency-key"),
    }
)
_HOST = re.compile(rb"(\[[^\]]*\]|[^:]*)(?::\d*)?")

Headers = Mapping[bytes, bytes]


class Guard:
    """Refuses what is ambiguous (400), foreign hosts and proxies (403), and pages of other sites (403).

    A page on the web can point its own name at 127.0.0.1 (DNS rebinding), and a proxy on this machine makes
    the whole internet look local; both show in the headers. The health routes answer whoever asks.
    """

    def __init__(self, allowed_hosts: Collection[str]) -> None:
        self._allowed_hosts = frozenset(host.lower().encode() for host in allowed_hosts)

    def find_refusal(self, scope: Scope, headers: Headers, *, has_keys: bool = False) -> HttpProblem | None:
        """Why a request is not answered; None where it is. `headers` are the scope's as a mapping.

        Where keys guard the server, its name matters no more: no page of the web has a key.
        """
        ambiguity = _find_ambiguity(scope, headers)
        if ambiguity is not None or scope["path"] in HEALTH_PATHS:
            return ambiguity
        if not has_keys and (foreign := self._find_foreign_host(headers)):
            return foreign
        return _find_foreign_origin(scope["method"], headers)

    def _find_foreign_host(self, headers: Headers) -> HttpProblem | None:
        host = _HOST.fullmatch(headers.get(b"host", b"").lower())
        if host is None or host[1] not in self._allowed_hosts:
            return HttpProblem(
                403,
                "foreign_host",
                "While no key exists, this server answers to its local names only, and the request's Host is "
                "another. Ask by http://127.0.0.1, or add the name to the setting allowed_hosts.",
            )
        for name in headers:
            if name == b"forwarded" or name.startswith(b"x-forwarded-"):
                return HttpProblem(
                    403,
                    "foreign_host",
                    "While no key exists, requests that a proxy forwarded are refused: they may come from "
                    "anywhere. Ask the server directly.",
                )
        return None


def _find_ambiguity(scope: Scope, headers: Headers) -> HttpProblem | None:
    """A header that says two things would be read one way by us and another way by what stands before us."""
    if len(headers) < len(scope["headers"]):
        names = [name for name, _ in scope["headers"]]
        for name in ONCE.intersection(names):
            if names.count(name) > 1:
                detail = f"The request has {names.count(name)} headers {name.decode().title()}. Send one."
                return HttpProblem(400, "repeated_header", detail)
    if b"host" not in headers and scope["http_version"] == "1.1":
        return HttpProblem(
            400, "no_host", "The request has no Host header, which HTTP/1.1 asks for. Send one."
        )
    return None


def _find_foreign_origin(method: str, headers: Headers) -> HttpProblem | None:
    if method in SAFE_METHODS:
        return None
    origin = headers.get(b"origin")
    is_foreign = origin is not None and origin.lower().partition(b"://")[2] != headers[b"host"].lower()
    if is_foreign or headers.get(b"sec-fetch-site") == b"cross-site":
        return make_origin_problem()
    return None
