"""The curves of published models, read once: a version's package never changes."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor

from flagrank.triage.curves import Curves
from flagrank.triage.errors import PackageRefused

KEPT = 100

ReadCurves = Callable[[int], Curves]  # of a version; blocks for a second


class KnownCurves:
    """Curves by version, the newest read of them; one package at a time is read, in `working`."""

    def __init__(self, read: ReadCurves, working: Executor) -> None:
        self._read = read
        self._working = working
        self._known: dict[int, Curves | str] = {}
        self._turn = asyncio.Lock()

    async def find(self, version: int) -> Curves | str:
        """The curves of a version, or why its package has none; raises `ModelNotFound`."""
        found = self._known.get(version)
        if found is None:
            async with self._turn:
                found = self._known.get(version) or await self._keep(version)
        return found

    async def _keep(self, version: int) -> Curves | str:
        found = await self._ask(version)
        if len(self._known) == KEPT:
            del self._known[next(iter(self._known))]
        self._known[version] = found
        return found

    async def _ask(self, version: int) -> Curves | str:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._working, self._read, version)
        except PackageRefused as error:
            return error.detail
