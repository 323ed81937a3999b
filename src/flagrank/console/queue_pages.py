"""The queue: cases by urgency, and what moves in it as server-sent events."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from flagrank.console.deadlines import Due, tell_deadline
from flagrank.console.moderator import find_moderator, find_named
from flagrank.console.pages import Pages
from flagrank.console.queue_filters import STATUSES, follow, make_query, read_filters
from flagrank.console.queue_news import TOP_CASES, News
from flagrank.console.review_parts import ReviewParts
from flagrank.console.watched import Watched
from flagrank.triage.feature_schema import FeatureSchema
from flagrank.triage.report import find_abuse_type
from flagrank.triage.review import QueueCase
from flagrank.triage.why import tell_why


class QueueRow(msgspec.Struct, frozen=True):
    """A case of the list."""

    case: QueueCase
    why: str
    due: Due


class QueuePages:
    """Shows the queue, and the page in which it is worked off."""

    def __init__(
        self,
        pages: Pages,
        parts: ReviewParts,
        news: Watched[News],
        find_schema: Callable[[], FeatureSchema | None],
    ) -> None:
        self._pages = pages
        self._parts = parts
        self._news = news
        self._find_schema = find_schema

    def make_routes(self) -> list[Route]:
        """Below the console's own path."""
        return [
            Route("/queue", self.show),
            Route("/queue/news", self.tell_news),
            Route("/review", self.show_review),
        ]

    async def show(self, request: Request) -> Response:
        """Cases, the most urgent first."""
        filters = read_filters(request.query_params)
        query = make_query(filters)
        page, news = await asyncio.gather(
            self._parts.ask(lambda: self._parts.reading.list_cases(query)), self._news.read()
        )
        now = datetime.now(UTC)
        return self._pages.show(
            request.scope,
            "queue.html.jinja",
            rows=[QueueRow(case, tell_why(case), tell_deadline(case, now)) for case in page.cases],
            filters=filters,
            following=follow(filters, page.next) if page.next else None,
            news=news,
            is_done=not page.cases and not filters.write_query(),
            statuses=STATUSES,
            reasons=_include(list(self._parts.find_policy().severities), filters.reason),
            abuse_types=_include(self._list_abuse_types(), filters.abuse_type),
            top_cases=TOP_CASES,
        )

    async def tell_news(self, request: Request) -> Response:
        """Server-sent events."""
        del request
        return self._news.answer()

    async def show_review(self, request: Request) -> Response:
        """The page that a moderator lives in; it asks for its cases itself, since looking leases nothing."""
        moderator = find_moderator(request)
        if moderator is None:
            return self._pages.show(request.scope, "moderator.html.jinja", name="", detail="")
        return self._pages.show(
            request.scope,
            "review.html.jinja",
            moderator=moderator,
            is_named=find_named(request) is not None,
            news=await self._news.read(),
            lease_seconds=self._parts.lease_seconds,
        )

    def _list_abuse_types(self) -> Sequence[str]:
        schema = self._find_schema()
        place = find_abuse_type(schema) if schema else None
        return schema.feature[place].values if schema and place is not None else ()


def _include(known: Sequence[str], chosen: str) -> list[str]:
    """What may be chosen, with what was: a case may have a reason that the policy no longer has."""
    return [*known, *([chosen] if chosen and chosen not in known else [])]
