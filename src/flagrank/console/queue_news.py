"""What moves in the queue, told to every page that is open."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import msgspec

from flagrank.console.review_parts import MOST_COUNTED, ReviewParts, tell_count
from flagrank.triage.errors import StoreUnavailable
from flagrank.triage.review import QueueQuery

TOP_CASES = 20
FRESH_SECONDS = 2.0
STREAM_SECONDS = 300.0  # then the browser asks again, and its key is looked at again
_PULSE_SECONDS = 15.0
_TICK_SECONDS = 0.5


class News(msgspec.Struct, frozen=True):
    """How many cases are open, in words too, and which stand at the top of the queue."""

    open: int
    words: str
    top: tuple[str, ...]


class QueueNews:
    """Looks at the queue for all pages of this process at once, and not at all while none is open."""

    def __init__(self, parts: ReviewParts, is_ending: Callable[[], bool]) -> None:
        """The streams end where `is_ending()`: a server that stops waits for what it answers."""
        self._parts = parts
        self._is_ending = is_ending
        self._lock = asyncio.Lock()
        self._known: tuple[float, News] | None = None

    async def read(self) -> News:
        """What the queue was two seconds ago, or since."""
        async with self._lock:
            if self._known is None or time.monotonic() - self._known[0] >= FRESH_SECONDS:
                self._known = time.monotonic(), await self._parts.ask(self._look)
            return self._known[1]

    async def stream(self) -> AsyncIterator[bytes]:
        """Server-sent events: one at once, one at each change, and a pulse that keeps the line."""
        begin = told_at = time.monotonic()
        told = None
        try:
            while not self._is_ending() and time.monotonic() - begin < STREAM_SECONDS:
                news = await self.read()
                if news != told:
                    yield b"data: " + msgspec.json.encode(news) + b"\n\n"
                    told, told_at = news, time.monotonic()
                elif time.monotonic() - told_at >= _PULSE_SECONDS:
                    yield b":\n\n"
                    told_at = time.monotonic()
                await asyncio.sleep(_TICK_SECONDS)
        except StoreUnavailable:
            return  # the browser shows that it has lost us, and asks again

    def _look(self) -> News:
        count = self._parts.reading.count_cases(MOST_COUNTED)
        top = self._parts.reading.list_cases(QueueQuery(limit=TOP_CASES)).cases
        return News(count, tell_count(count), tuple(case.case_id for case in top))
