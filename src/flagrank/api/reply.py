"""Plain-ASGI routes: one function that gives a reply, or raises what the client is told."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import msgspec
from starlette.types import Receive, Scope, Send

from flagrank.api.problems import TOLD, Headers, make_internal_problem, send_problem
from flagrank.api.request_body import ClientGone

NO_CONTENT = 204

encode_json = msgspec.json.Encoder().encode


class Reply(msgspec.Struct, frozen=True):
    """An answer that is no problem."""

    body: bytes
    status: int = 200
    headers: Headers = []
    content_type: bytes = b"application/json"


Respond: TypeAlias = Callable[[Scope, Receive], Awaitable[Reply]]


class JsonRoute:
    """An ASGI application around a function; through FastAPI the same answer costs twice the time."""

    def __init__(self, respond: Respond) -> None:
        self._respond = respond

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        try:
            reply = await self._respond(scope, receive)
        except ClientGone:
            return
        except TOLD as error:
            await send_problem(scope, send, error)
            return
        except Exception:
            await send_problem(scope, send, make_internal_problem())
            raise  # into the log
        headers = [(b"cache-control", b"no-store"), *reply.headers]
        if reply.status != NO_CONTENT:
            headers += [
                (b"content-type", reply.content_type),
                (b"content-length", b"%d" % len(reply.body)),
            ]
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.body})
