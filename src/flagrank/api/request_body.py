"""Reading a request's body: its kind, its size, and how long it may take."""

import asyncio

from starlette.types import Receive, Scope

from flagrank.api.problems import HttpProblem

JSON = b"application/json"
# After the limit the rest is read and dropped for this long: closing at once would reset the connection before the
# client, still sending, has read the answer.
LINGER_SECONDS = 2.0


class ClientGone(Exception):
    """The client hung up before its body was whole; nobody is left to answer."""


class BodyReader:
    """Reads JSON bodies of at most `limit_bytes`, whole within `timeout_seconds`."""

    def __init__(self, limit_bytes: int, timeout_seconds: float) -> None:
        self._limit_bytes = limit_bytes
        self._timeout_seconds = timeout_seconds

    async def read(self, scope: Scope, receive: Receive) -> bytes:
        """The whole body.

        Raises `HttpProblem` (413, 415, 408) and `ClientGone`. A client that waits for `100 Continue` is refused unread.
        """
        headers = dict(scope["headers"])
        _check_kind(headers)
        declared = headers.get(b"content-length", b"0")
        if int(declared) > self._limit_bytes:
            if headers.get(b"expect", b"").lower() != b"100-continue":
                await _drop_rest(receive)
            raise self._too_large()
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await self._read_chunks(receive)
        except TimeoutError as error:
            raise HttpProblem(
                408,
                "body_timeout",
                f"The body was not whole within {self._timeout_seconds:g} s. Send it faster, or in smaller requests.",
                [(b"connection", b"close")],
            ) from error

    async def _read_chunks(self, receive: Receive) -> bytes:
        chunks, size = [], 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > self._limit_bytes:
                await _drop_rest(receive)
                raise self._too_large()
            if not message.get("more_body", False):
                return b"".join([*chunks, chunk]) if chunks else chunk
            chunks.append(chunk)

    def _too_large(self) -> HttpProblem:
        detail = f"The body is larger than {self._limit_bytes:,} bytes. Split it into several requests."
        return HttpProblem(413, "body_too_large", detail, [(b"connection", b"close")])


def _check_kind(headers: dict[bytes, bytes]) -> None:
    media_type, _, parameters = headers.get(b"content-type", b"").lower().partition(b";")
    charset = parameters.replace(b" ", b"").replace(b'"', b"")
    if media_type.strip() != JSON or charset not in {b"", b"charset=utf-8"}:
        raise HttpProblem(
            415,
            "unsupported_media_type",
            "The body's Content-Type is not application/json in UTF-8. Send JSON with Content-Type: application/json.",
            [(b"accept", JSON)],
        )
    if headers.get(b"content-encoding", b"identity").strip().lower() not in {b"identity", b""}:
        raise HttpProblem(
            415,
            "unsupported_encoding",
            "The body has a Content-Encoding, and compressed bodies are not taken. Send it uncompressed.",
            [(b"accept-encoding", b"identity")],
        )


async def _drop_rest(receive: Receive) -> None:
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            while (message := await receive())["type"] == "http.request" and message.get("more_body", False):
                pass
    except TimeoutError:
        return
