"""`/heartbeat`, `/livez`, `/readyz`: is the process alive, and should it be sent requests."""

from collections.abc import Callable, Sequence

from fastapi import APIRouter, Response
from pydantic import BaseModel

from flagrank.api.problems import HttpProblem


class Heartbeat(BaseModel):
    """The answer while the process lives."""

    message: str = "Service Ok"


class Readiness(BaseModel):
    """The answer while requests are welcome."""

    status: str = "ready"


def make_health_router(find_reasons: Callable[[], Sequence[str]]) -> APIRouter:
    """The health routes; `find_reasons` says why requests should go elsewhere, nothing when they need not."""
    router = APIRouter(tags=["service"])

    async def heartbeat() -> Heartbeat:
        """Say that the process lives."""
        return Heartbeat()

    async def livez() -> Heartbeat:
        """Say that the process lives, under the name that orchestrators ask for."""
        return Heartbeat()

    async def readyz(response: Response) -> Readiness:
        """Say whether a model is loaded and requests are welcome; 503 with the reasons where not."""
        reasons = find_reasons()
        if reasons:
            raise HttpProblem(503, "not_ready", " ".join(reasons))
        response.headers["cache-control"] = "no-store"
        return Readiness()

    for function in (heartbeat, livez, readyz):
        path = f"/{function.__name__}"
        router.get(path)(function)
        router.head(path, include_in_schema=False)(function)
    return router
