"""The page of the moderators' lead: what the queue is like, live."""

from collections.abc import Callable

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from flagrank.console.lead_view import LeadView, describe_queue
from flagrank.console.pages import LivePart, Pages
from flagrank.console.review_parts import ReviewParts
from flagrank.console.watched import Watched

_PART = "lead_figures.html.jinja"


class LeadPages:
    """Shows the statistics of the queue."""

    def __init__(self, pages: Pages, parts: ReviewParts, is_ending: Callable[[], bool]) -> None:
        self._pages = pages
        self._parts = parts
        self._figures = Watched(
            self._look,
            lambda part: msgspec.json.encode(part.digest),
            is_ending,
            fresh_seconds=parts.statistics_seconds,
        )

    def make_routes(self) -> list[Route]:
        """Below the console's own path."""
        return [
            Route("/lead", self.show),
            Route("/lead/figures", self.show_figures),
            Route("/lead/news", self.tell_news),
        ]

    async def show(self, request: Request) -> Response:
        """The whole page."""
        return self._pages.show(request.scope, "lead.html.jinja", part=await self._figures.read())

    async def show_figures(self, request: Request) -> Response:
        """What of it changes."""
        del request
        part = await self._figures.read()
        return HTMLResponse(part.text, headers={"cache-control": "no-store"})

    async def tell_news(self, request: Request) -> Response:
        """Server-sent events: the digest of the figures, as they change."""
        del request
        return self._figures.answer()

    async def _look(self) -> LivePart:
        return self._pages.render_live(_PART, view=await self._parts.ask(self._describe))

    def _describe(self) -> LeadView:
        statistics = self._parts.statistics
        return describe_queue(
            statistics.read_backlog(),
            statistics.read_flow(),
            statistics.read_rulings(),
            statistics.read_slice(),
            self._parts.find_policy(),
        )
