"""Waiting for tasks to become final: one loop asks for all who wait, so that a waiter costs no thread."""

import asyncio
from collections.abc import Callable, Collection
from concurrent.futures import Executor

from flagrank.triage.errors import FlagrankError

QUICK_SECONDS = 0.01  # between two questions while someone has just begun to wait
SLOW_SECONDS = 0.1
QUICK_FOR_SECONDS = 1.0


class FinalWatch:
    """Tells waiters that their task is final; it asks `find_final` in `executor` while anyone waits."""

    def __init__(self, find_final: Callable[[Collection[str]], set[str]], executor: Executor) -> None:
        self._find_final = find_final
        self._executor = executor
        self._waiters: dict[str, set[asyncio.Future[None]]] = {}
        self._quick_until = 0.0
        self._asking: asyncio.Task[None] | None = None
        self._is_released = False

    async def wait(self, task_id: str, seconds: float) -> None:
        """Return once the task is final or unknown, or so many seconds are over."""
        if self._is_released:
            return
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._waiters.setdefault(task_id, set()).add(future)
        self._quick_until = loop.time() + QUICK_FOR_SECONDS
        if self._asking is None or self._asking.done():
            self._asking = loop.create_task(self._ask())
        try:
            async with asyncio.timeout(seconds):
                await future
        except TimeoutError:
            return
        finally:
            self._leave(task_id, future)

    def release(self) -> None:
        """End all waiting, now and later."""
        self._is_released = True
        for task_id in list(self._waiters):
            self._wake(task_id)

    def _leave(self, task_id: str, future: asyncio.Future[None]) -> None:
        waiters = self._waiters.get(task_id, set())
        waiters.discard(future)
        if not waiters:
            self._waiters.pop(task_id, None)

    def _wake(self, task_id: str) -> None:
        for future in self._waiters.get(task_id, ()):
            if not future.done():
                future.set_result(None)

    async def _ask(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiters:
            try:
                final = await loop.run_in_executor(self._executor, self._find_final, list(self._waiters))
            except FlagrankError:  # the store does not answer; it may again
                final = set()
            for task_id in final:
                self._wake(task_id)
            is_quick = loop.time() < self._quick_until
            await asyncio.sleep(QUICK_SECONDS if is_quick else SLOW_SECONDS)
