"""What a worker with a port answers beside its metrics: whether it lives, and whether it can work."""

from collections.abc import Callable, Mapping, Sequence

from starlette.types import ASGIApp, Receive, Scope

from flagrank.api.health import Heartbeat, Readiness
from flagrank.api.problems import HttpProblem
from flagrank.api.reply import JsonRoute, Reply

_ALIVE = Reply(Heartbeat().model_dump_json().encode())
_READY = Reply(Readiness(status="ready").model_dump_json(exclude_none=True).encode())


def make_health_routes(find_reasons: Callable[[], Sequence[str]]) -> Mapping[tuple[str, str], ASGIApp]:
    """The health routes by method and path; `find_reasons` says why nothing can be scored now."""

    async def tell_alive(_scope: Scope, _receive: Receive) -> Reply:
        return _ALIVE

    async def tell_ready(_scope: Scope, _receive: Receive) -> Reply:
        if reasons := find_reasons():
            raise HttpProblem(503, "not_ready", " ".join(reasons))
        return _READY

    alive, ready = JsonRoute(tell_alive), JsonRoute(tell_ready)
    return {("GET", "/heartbeat"): alive, ("GET", "/livez"): alive, ("GET", "/readyz"): ready}


def make_nothing_else() -> ASGIApp:
    """What answers any other request."""

    async def refuse(_scope: Scope, _receive: Receive) -> Reply:
        raise HttpProblem(
            404, "not_found", "A worker answers GET /metrics, /livez and /readyz only. Ask the server."
        )

    return JsonRoute(refuse)
