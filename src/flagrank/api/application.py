"""Assembles the FastAPI application: routes, description, and the problem that answers every error."""

from collections.abc import Callable, Collection, Sequence
from importlib.metadata import version

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from flagrank.api.documentation import add_documentation
from flagrank.api.entrance import PREDICTION
from flagrank.api.health import make_health_router
from flagrank.api.openapi import describe_application
from flagrank.api.problems import HttpProblem, encode_problem, make_internal_problem
from flagrank.triage.feature_schema import FeatureSchema


def create_application(
    prediction: ASGIApp,
    schema: FeatureSchema,
    reasons: Collection[str],
    find_reasons: Callable[[], Sequence[str]],
) -> FastAPI:
    """The application around a scoring route; `find_reasons` says why it is not ready."""
    application = FastAPI(
        title="flagrank",
        version=version("flagrank"),
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # Else FastAPI looks for exporters of each kind on every request, and starts those that it finds.
        telemetry={"auto_configure": False, "tracing": False, "metrics": False, "logs": False},
    )
    # The scoring route stands first, so that the router finds it at once.
    application.router.routes.insert(
        0, Route(PREDICTION, prediction, methods=["POST"], include_in_schema=False)
    )
    application.include_router(make_health_router(find_reasons))
    add_documentation(application)
    for kind in (HttpProblem, HTTPException, Exception):
        application.add_exception_handler(kind, _answer)
    document = describe_application(application, PREDICTION, schema, reasons)
    application.openapi = lambda: document  # type: ignore[method-assign]  # FastAPI's own way of extending it
    return application


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
            # Starlette names one route's methods, and none of a file; what answers GET answers HEAD, too.
            allowed = (error.headers or {}).get("Allow", "GET")
            allowed = "GET, HEAD" if "GET" in allowed else allowed
            detail = f"This address does not take this method. Use {allowed}; see /docs."
            return HttpProblem(405, "method_not_allowed", detail, [(b"allow", allowed.encode())])
        case HTTPException(status_code=404):
            detail = "There is nothing at this address. See /docs for what there is."
            return HttpProblem(404, "not_found", detail)
        case _:
            return make_internal_problem()
