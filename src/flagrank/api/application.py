"""Assembles the FastAPI application: routes, description, and the problem that answers every error."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from flagrank.api.documentation import add_documentation
from flagrank.api.health import make_health_router
from flagrank.api.openapi import describe_application
from flagrank.api.problems import HttpProblem, encode_problem, make_internal_problem
from flagrank.triage.feature_schema import FeatureSchema
from flagrank.triage.policy import Policy


def create_application(
    routes: Mapping[tuple[str, str], ASGIApp],
    find_schema: Callable[[], FeatureSchema],
    find_policy: Callable[[], Policy],
    find_reasons: Callable[[], Sequence[str]],
    find_notes: Callable[[], list[str]],
) -> FastAPI:
    """The application around plain-ASGI routes by method and path; `find_reasons` says why it is not ready.

    `find_notes` says what is wrong though it is ready.

    `find_schema` gives the schema that reports are read by now, which may change with the model, and
    `find_policy` the policy whose reasons they may have.
    """
    application = FastAPI(
        title="flagrank",
        version=version("flagrank"),
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # Else FastAPI looks for exporters of each kind on every request, and starts those that it finds.
        telemetry={"auto_configure": False, "tracing": False, "metrics": False, "logs": False},
    )
    # These stand first, so that the router finds them at once.
    application.router.routes[:0] = [
        Route(path, _Methods(by_method), include_in_schema=False)
        for path, by_method in _group(routes).items()
    ]
    application.include_router(make_health_router(find_reasons, find_notes))
    add_documentation(application)
    for kind in (HttpProblem, HTTPException, Exception):
        application.add_exception_handler(kind, _answer)
    describe = lru_cache(maxsize=1)(partial(describe_application, application))

    def openapi() -> dict[str, Any]:
        return describe(find_schema(), tuple(find_policy().severities))

    openapi()  # made before the first request, which it would hold up
    application.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way of extending it
    return application


def _group(routes: Mapping[tuple[str, str], ASGIApp]) -> dict[str, dict[str, ASGIApp]]:
    by_path: dict[str, dict[str, ASGIApp]] = {}
    for (method, path), route in routes.items():
        by_path.setdefault(path, {})[method] = route
    return by_path


class _Methods:
    """What answers at one path, by method; HEAD is answered as GET.

    Other methods end here: a path with a variable, which comes later, may match as well.
    """

    def __init__(self, by_method: Mapping[str, ASGIApp]) -> None:
        self._by_method = by_method

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = scope["method"]
        route = self._by_method.get("GET" if method == "HEAD" else method)
        if route is None:
            raise HTTPException(405, headers={"Allow": ", ".join(self._by_method)})
        await route(scope, receive, send)


async def _answer(request: Request, error: Exception) -> Response:
    status, headers, body = encode_problem(request.scope["state"]["request_id"], _as_problem(error))
    response = Response(body, status)
    response.raw_headers = headers
    return response


def _as_problem(error: Exception) -> HttpProblem:
    match error:
        case HttpProblem():
            return error
        case HTTPException(status_code=405):
            # Starlette names them in any order, and none of a file; what answers GET answers HEAD, too.
            methods = set((error.headers or {}).get("Allow", "GET").split(", "))
            allowed = ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))
            detail = f"This address does not take this method. Use {allowed}; see /docs."
            return HttpProblem(405, "method_not_allowed", detail, [(b"allow", allowed.encode())])
        case HTTPException(status_code=404):
            detail = "There is nothing at this address. See /docs for what there is."
            return HttpProblem(404, "not_found", detail)
        case _:
            return make_internal_problem()
