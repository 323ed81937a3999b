"""flagrank's own server with a route that reads the body and answers a constant: what HTTP alone costs.

Every part but the route is the product's: entrance, guard, application, connection, server and its settings.
Run it with `python -m benchmarks.constant_route BODY_FILE PORT`.
"""

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import uvloop
from starlette.types import ASGIApp, Receive, Scope, Send

from flagrank.api.application import create_application
from flagrank.api.entrance import Entrance
from flagrank.api.guard import Guard
from flagrank.api.keys import KeyRing
from flagrank.service.server import Drain, DrainingServer, configure, listen
from flagrank.settings import Settings, load_default_policy, load_schema
from flagrank.storage.api_keys import StoredApiKeys
from flagrank.storage.engine import open_database
from flagrank.telemetry import Metrics

DEFAULT_POLICY = load_default_policy()


class ConstantRoute:
    """Takes the whole body and answers the same bytes each time."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        del scope
        while (await receive())["more_body"]:
            pass
        await send({"type": "http.response.start", "status": 200, "headers": self._headers})
        await send({"type": "http.response.body", "body": self._body})


def main(body_file: str, port: str) -> None:
    """Serve until SIGTERM."""
    settings = Settings(port=int(port))
    route = ConstantRoute(Path(body_file).read_bytes())
    routes: dict[tuple[str, str], ASGIApp] = {("POST", "/prediction"): route}
    schema = load_schema(None)
    entrance = Entrance(
        create_application(routes, lambda: schema, lambda: DEFAULT_POLICY, list, list),
        routes,
        Guard(settings.allowed_hosts),
        KeyRing(StoredApiKeys(open_database("sqlite:///never-opened.db")), ThreadPoolExecutor(1)),
        is_draining=lambda: False,
        observe=Metrics(routes=["/prediction"]).requests.observe,
    )
    server = DrainingServer(configure(entrance, settings), Drain(0), lambda: None)
    with (
        listen(settings, has_keys=False) as listener,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        runner.run(server.serve(sockets=[listener]))


if __name__ == "__main__":
    main(*sys.argv[1:])
