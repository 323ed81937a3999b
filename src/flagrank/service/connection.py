"""One HTTP connection: uvicorn's, but what a client may send has an end in time and in size."""

import re
from asyncio import AbstractEventLoop, TimerHandle, Transport
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from flagrank.api.problems import HttpProblem, encode_problem, make_timeout_problem
from flagrank.api.request_id import make_request_id

MAX_HEAD_BYTES = 64 * 2**10  # a head that comes in pieces; uvloop reads at most four times this in one
MAX_HEADERS = 1_000  # with the trailers of a chunked body, which are kept beside them


# No upgrade is offered. Java's client asks for one by default, and httptools takes the body behind such
# a head for another protocol's, so the parser must not see the name.
_UPGRADE = re.compile(rb"\A([^\0]*?\r\n)upgrade:", re.IGNORECASE)


class JoinedWrites:
    """A transport that sends the head of an answer with what follows it: one packet and system call for two.

    A head that nothing follows in this turn of the event loop goes out at its end.
    """

    def __init__(self, transport: Transport, loop: AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held = b""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever else a transport has
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send, after what is held."""
        if self._held:
            data, self._held = self._held + data, b""
        elif data.endswith(b"\r\n\r\n"):
            self._held = data
            self._loop.call_soon(self._send_held)
            return
        self._transport.write(data)

    def close(self) -> None:
        """Hang up once everything is sent."""
        self._send_held()
        self._transport.close()

    def _send_held(self) -> None:
        if self._held:
            data, self._held = self._held, b""
            self._transport.write(data)


class Connection(HttpToolsProtocol):
    """Answers with a problem where uvicorn would with plain text, or would wait and collect for ever.

    A subclass because what never becomes a whole request never reaches the application. Requests that come in
    one piece, as nearly all do, cost two more calls and two comparisons.
    """

    def __init__(self, *args: Any, patience_seconds: float, **kwargs: Any) -> None:  # noqa: ANN401 - uvicorn's own
        """A request must be whole within `patience_seconds` of its first byte."""
        super().__init__(*args, **kwargs)
        self._patience_seconds = patience_seconds
        self._whole: object = None  # the scope of the last request that came to its end
        self._watched: object = None  # the scope of the request that the deadline is for
        self._deadline: TimerHandle | None = None
        self._head_bytes = 0

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin; a connection on which nothing comes is idle, too."""
        super().connection_made(transport)
        self.transport = JoinedWrites(transport, self.loop)  # type: ignore[assignment]  # as far as it is used
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._end_watch()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what has come, then look whether a request goes on for too long."""
        if self._whole is self.scope and b"pgrade:" in data:
            data = _UPGRADE.sub(rb"\1x-other:", data, count=1)
        super().data_received(data)
        if self._whole is not self.scope or self._deadline is not None:
            self._watch(len(data))

    def on_message_complete(self) -> None:
        """Take the end of a request."""
        self._whole = self.scope
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP."""
        del msg
        detail = "The request breaks a rule of HTTP/1.1 (RFC 9112). Send it with a client that keeps them."
        self._refuse(HttpProblem(400, "malformed_request", detail))

    @property
    def _last_cycle(self) -> RequestResponseCycle | None:
        """Of the last request whose head was whole; none before the first."""
        return self.cycle

    def _watch(self, size: int) -> None:
        if self._watched is not self.scope or self._whole is self.scope:
            self._end_watch()
        if self._whole is self.scope or self.transport.is_closing():
            return
        if self._deadline is None:
            self._watched = self.scope
            self._deadline = self.loop.call_later(self._patience_seconds, self._lose_patience)
        cycle = self._last_cycle
        is_head_whole = cycle is not None and cycle.scope is self.scope
        self._head_bytes += 0 if is_head_whole else size
        if self._head_bytes > MAX_HEAD_BYTES or (is_head_whole and len(self.headers) > MAX_HEADERS):
            detail = (
                f"The request's head has over {MAX_HEAD_BYTES:,} bytes or {MAX_HEADERS:,} fields. Send less."
            )
            self._refuse(HttpProblem(431, "head_too_large", detail))

    def _end_watch(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None
        self._head_bytes = 0

    def _lose_patience(self) -> None:
        self._refuse(make_timeout_problem(self._patience_seconds))

    def _refuse(self, problem: HttpProblem) -> None:
        """Answer the request that is being read, where nothing else will, and hang up."""
        cycle = self._last_cycle
        if self.transport.is_closing():
            return
        if cycle is not None and cycle.scope is self.scope:
            if cycle.response_started or self.pipeline:
                self.transport.close()
                return
            cycle.disconnected = True  # so that the application neither waits for the rest nor answers
            cycle.message_event.set()
        elif cycle is not None and not cycle.response_complete:
            cycle.keep_alive = False  # an earlier request is still being answered; after it uvicorn hangs up
            return
        request_id = make_request_id()
        status, headers, body = encode_problem(request_id, problem)
        own = [(b"x-request-id", request_id.encode()), (b"connection", b"close")]
        fields = [*self.server_state.default_headers, *headers, *own]
        head = b"".join(b"%s: %s\r\n" % field for field in fields)
        self.transport.write(STATUS_LINE[status] + head + b"\r\n" + body)
        self.transport.close()
