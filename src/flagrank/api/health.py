"""`/heartbeat`, `/livez`, `/readyz`: is the process alive, and should it be sent requests."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from flagrank.api.openapi import describe_problem
from flagrank.api.problems import HttpProblem


class Heartbeat(BaseModel, json_schema_serialization_defaults_required=True):
    """The answer while the process lives."""

    message: Literal["Service Ok"] = "Service Ok"


class Readiness(BaseModel):
    """The answer while requests are welcome; `notes` says what an operator should look at all the same."""

    status: Literal["ready"]
    notes: list[str] | None = None


def make_health_router(
    find_reasons: Callable[[], Sequence[str]], find_notes: Callable[[], list[str]]
) -> APIRouter:
    """The health routes; `find_reasons` says why requests should go elsewhere, nothing when they need not."""
    router = APIRouter(tags=["service"], generate_unique_id_function=lambda route: route.name)
    not_ready = HttpProblem(503, "not_ready", "The server is shutting down: send requests elsewhere.")
    responses: dict[int | str, dict[str, Any]] = {
        503: describe_problem(
            "No model is loaded, the store does not answer, or the server is shutting down.", not_ready
        )
    }

    @router.head("/heartbeat", include_in_schema=False)
    @router.get("/heartbeat", summary="Is the process alive", response_description="It is.")
    async def heartbeat() -> Heartbeat:
        """Answers while the process lives."""
        return Heartbeat()

    @router.head("/livez", include_in_schema=False)
    @router.get("/livez", summary="The same, for orchestrators", response_description="It is.")
    async def livez() -> Heartbeat:
        """Answers while the process lives; restart it where this stays without an answer."""
        return Heartbeat()

    @router.head("/readyz", include_in_schema=False, response_model_exclude_none=True)
    @router.get(
        "/readyz",
        summary="Should requests be sent here",
        response_description="They should.",
        responses=responses,
        response_model_exclude_none=True,
    )
    async def readyz(response: Response) -> Readiness:
        """Answers 200 while a model is loaded and the store answers; else, and in shutdown, 503 with why.

        `notes` are there where a newer champion or policy can't be used here, and the one before serves on.
        """
        reasons = find_reasons()
        if reasons:
            raise HttpProblem(503, "not_ready", " ".join(reasons))
        response.headers["cache-control"] = "no-store"
        return Readiness(status="ready", notes=find_notes() or None)

    return router
