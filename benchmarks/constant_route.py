"""flagrank's own server with a route that reads the body and answers a constant: what HTTP alone costs.

Every part but the route is the product's: middleware, application, router, server settings.
Run it with `python -m benchmarks.constant_route BODY_FILE PORT`.
"""

import sys
from pathlib import Path

import uvicorn
from starlette.types import Receive, Scope, Send

from flagrank.api.application import create_application
from flagrank.api.guard import Guard
from flagrank.api.request_id import RequestId
from flagrank.service import _configure as configure_server
from flagrank.settings import Settings, load_schema
from flagrank.triage.policy import DEFAULT_POLICY


class ConstantRoute:
    """Takes the whole body and answers the same bytes each time."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        del scope
        while (await receive()).get("more_body", False):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": self._headers})
        await send({"type": "http.response.body", "body": self._body})


def main(body_file: str, port: str) -> None:
    """Serve until SIGTERM."""
    settings = Settings(port=int(port))
    route = ConstantRoute(Path(body_file).read_bytes())
    application = create_application(route, load_schema(None), DEFAULT_POLICY.severities, list)
    guarded = RequestId(Guard(application, settings.allowed_hosts), lambda: False)
    config = configure_server(guarded, settings)
    config.host, config.port = settings.host, settings.port
    uvicorn.Server(config).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
