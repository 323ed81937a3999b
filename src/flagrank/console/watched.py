"""What many open pages look at, asked for once for all of them, and told as it changes."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Generic, TypeVar

from starlette.responses import Response, StreamingResponse

from flagrank.triage.errors import StoreUnavailable

STREAM_SECONDS = 300.0  # then the browser asks again, and its key is looked at again
_PULSE_SECONDS = 15.0
_TICK_SECONDS = 0.5

_Seen = TypeVar("_Seen")


class Watched(Generic[_Seen]):
    """Looks for all pages of this process at once, and not at all while none is open."""

    def __init__(
        self,
        look: Callable[[], Awaitable[_Seen]],
        tell: Callable[[_Seen], bytes],
        is_ending: Callable[[], bool],
        *,
        fresh_seconds: float,
    ) -> None:
        """`tell` gives one line for the pages.

        The streams end where `is_ending()`: a server that stops waits for what it answers.
        """
        self._look = look
        self._tell = tell
        self._is_ending = is_ending
        self._fresh_seconds = fresh_seconds
        self._lock = asyncio.Lock()
        self._known: tuple[float, _Seen] | None = None

    async def read(self) -> _Seen:
        """What was seen at most `fresh_seconds` ago."""
        async with self._lock:
            if self._known is None or time.monotonic() - self._known[0] >= self._fresh_seconds:
                self._known = time.monotonic(), await self._look()
            return self._known[1]

    def answer(self) -> Response:
        """The events as an answer, which no proxy keeps back."""
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(self.stream(), media_type="text/event-stream", headers=headers)

    async def stream(self) -> AsyncIterator[bytes]:
        """Server-sent events: one at once, one at each change, and a pulse that keeps the line."""
        begin = told_at = time.monotonic()
        told = None
        try:
            while not self._is_ending() and time.monotonic() - begin < STREAM_SECONDS:
                line = self._tell(await self.read())
                if line != told:
                    yield b"data: " + line + b"\n\n"
                    told, told_at = line, time.monotonic()
                elif time.monotonic() - told_at >= _PULSE_SECONDS:
                    yield b":\n\n"
                    told_at = time.monotonic()
                await asyncio.sleep(_TICK_SECONDS)
        except StoreUnavailable:
            return  # the browser shows that it has lost us, and asks again
