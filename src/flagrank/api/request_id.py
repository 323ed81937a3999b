"""The request's id, in every answer and every problem; and the farewell of a server that is shutting down."""

import re
import secrets
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_VALID = re.compile(rb"[A-Za-z0-9._-]{1,128}")


class RequestId:
    """ASGI middleware: takes the caller's `X-Request-Id` where it is plain, else makes one, and sends it back.

    While `is_draining()` every answer also says `Connection: close`, so that a balancer's kept connections go elsewhere.
    """

    def __init__(self, app: ASGIApp, is_draining: Callable[[], bool]) -> None:
        self._app = app
        self._is_draining = is_draining

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with an id in `scope["state"]`."""
        given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
        request_id = given if _VALID.fullmatch(given) else secrets.token_hex(8).encode()
        scope["state"]["request_id"] = request_id.decode()

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                farewell = [(b"connection", b"close")] if self._is_draining() else []
                message["headers"] = [*message["headers"], (b"x-request-id", request_id), *farewell]
            await send(message)

        await self._app(scope, receive, send_with_id)
