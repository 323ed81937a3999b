"""`GET /queue`, and the leases: which cases wait, and who has which of them in hand."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from typing import TypeVar

from starlette.types import Receive, Scope

from flagrank.api.query import QUEUE_NAMES, read_query, read_queue_query
from flagrank.api.reply import Reply, encode_json
from flagrank.api.review_wishes import HeldCases, LeaseWish, WishReader
from flagrank.api.shown_cases import LeasedCases, ShownQueue, TheirCases, show_case
from flagrank.telemetry import ReviewMetrics
from flagrank.triage.policy import Policy
from flagrank.triage.review import LeaseRequest, QueueQuery, encode_queue_cursor
from flagrank.triage.review_ports import Leasing, QueueReading

_Answer = TypeVar("_Answer")


class QueueRoutes:
    """What is answered about the queue; the store is asked in `executor`."""

    def __init__(
        self,
        reading: QueueReading,
        leasing: Leasing,
        find_policy: Callable[[], Policy],
        executor: Executor,
        reader: WishReader,
        *,
        metrics: ReviewMetrics,
    ) -> None:
        self._reading = reading
        self._leasing = leasing
        self._find_policy = find_policy
        self._executor = executor
        self._reader = reader
        self._metrics = metrics

    async def list(self, scope: Scope, _receive: Receive) -> Reply:
        """`GET /queue`."""
        query = read_queue_query(read_query(scope, QUEUE_NAMES))
        return Reply(await self._ask(partial(self._compose_page, query)))

    async def lease(self, scope: Scope, receive: Receive) -> Reply:
        """`POST /queue/lease`."""
        wish = await self._reader.read(scope, receive, LeaseWish)
        request = LeaseRequest(moderator=wish.moderator, limit=wish.limit, lease_seconds=wish.lease_seconds)
        cases = await self._ask(partial(self._leasing.lease, request, self._find_policy()))
        self._metrics.leases.add(amount=len(cases))
        return Reply(encode_json(LeasedCases([show_case(case) for case in cases])))

    async def extend(self, scope: Scope, receive: Receive) -> Reply:
        """`POST /queue/heartbeat`."""
        wish = await self._reader.read(scope, receive, HeldCases)
        extend = partial(self._leasing.extend, wish.moderator, wish.case_ids, wish.lease_seconds)
        return Reply(encode_json(TheirCases(await self._ask(extend))))

    async def release(self, scope: Scope, receive: Receive) -> Reply:
        """`POST /queue/release`."""
        wish = await self._reader.read(scope, receive, HeldCases)
        release = partial(self._leasing.release, wish.moderator, wish.case_ids)
        return Reply(encode_json(TheirCases(await self._ask(release))))

    def _compose_page(self, query: QueueQuery) -> bytes:
        page = self._reading.list_cases(query)
        following = None if page.next is None else encode_queue_cursor(page.next)
        return encode_json(ShownQueue([show_case(case) for case in page.cases], following))

    async def _ask(self, ask: Callable[[], _Answer]) -> _Answer:
        return await asyncio.get_running_loop().run_in_executor(self._executor, ask)
