"""What a client sends, and whether it is still there; the time it may take is the connection's business."""

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

from starlette.types import Receive, Scope

from flagrank.api.problems import SPLIT, HttpProblem, make_encoding_problem, make_size_problem

JSON = b"application/json"
_Result = TypeVar("_Result")

UTF8 = frozenset({b"", b"charset=utf-8", b'charset="utf-8"'})


class ClientGone(Exception):
    """The client hung up; nobody is left to answer."""


class BodyReader:
    """Reads bodies of at most `limit_bytes`, of one of these media types; the first is the one to name."""

    def __init__(
        self, limit_bytes: int, media_types: tuple[bytes, ...] = (JSON,), way_out: str = SPLIT
    ) -> None:
        """`way_out` is what a client is told to do whose body is larger; no media types are all of them."""
        self._limit_bytes = limit_bytes
        self._media_types = media_types
        self._way_out = way_out

    async def read(self, scope: Scope, receive: Receive) -> bytes:
        """The whole body.

        Raises `HttpProblem` (413, 415) and `ClientGone`. A client that waits for `100 Continue` is refused
        before it sends the body.
        """
        headers = scope["state"]["headers"]
        self._check_kind(headers)
        if int(headers.get(b"content-length", 0)) > self._limit_bytes:
            raise self._too_large(headers)
        body, is_last = bytearray(), False
        while not is_last:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            body += message["body"]
            is_last = not message["more_body"]
            if len(body) > self._limit_bytes:
                raise self._too_large(headers)
        return bytes(body)

    def _too_large(self, headers: Mapping[bytes, bytes]) -> HttpProblem:
        """The connection drops what comes after this answer; a client that expects will send nothing."""
        farewell = [(b"connection", b"close")] if b"expect" in headers else []
        return make_size_problem(self._limit_bytes, self._way_out, farewell)

    def _check_kind(self, headers: Mapping[bytes, bytes]) -> None:
        content_type = headers.get(b"content-type", b"")
        if self._media_types and content_type not in self._media_types:
            media_type, _, parameters = content_type.lower().partition(b";")
            if media_type.strip() not in self._media_types or parameters.strip() not in UTF8:
                raise _refuse_kind(self._media_types[0])
        if headers.get(b"content-encoding", b"identity").lower() != b"identity":
            raise make_encoding_problem()


async def unless_gone(work: Coroutine[Any, Any, _Result], receive: Receive) -> _Result:
    """What comes of the work, which goes on no longer than someone is there to be answered.

    For a request whose body was read; raises `ClientGone`.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_watch_for_end(receive))
    try:
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientGone
        return task.result()
    finally:
        task.cancel()
        gone.cancel()


async def _watch_for_end(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _refuse_kind(expected: bytes) -> HttpProblem:
    name = expected.decode() + (" in UTF-8" if expected == JSON else "")
    detail = f"The body's Content-Type is not {name}. Send it as {expected.decode()}."
    return HttpProblem(415, "unsupported_media_type", detail, [(b"accept", expected)])
