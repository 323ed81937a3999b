"""What the page of a moderator asks in the background: cases, to hold or release them, to decide, to undo."""

from datetime import UTC, datetime
from typing import Annotated, TypeAlias, TypeVar

import msgspec
from msgspec import Meta
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from flagrank.console.case_view import view_case
from flagrank.console.moderator import find_moderator
from flagrank.console.pages import Pages
from flagrank.console.review_parts import MOST_COUNTED, ReviewParts, tell_count
from flagrank.console.rulings import make_reversal, make_ruling
from flagrank.triage.review import (
    MAX_NAME_CHARS,
    CaseDetail,
    LeaseRequest,
    QueueQuery,
    Verdict,
)

MOST_CASES = 10  # at once on a page
BODY_BYTES = 64 * 2**10
# A page that is left may only be loading again: its cases are held so long, and free then.
LEAVING_SECONDS = 45

_CaseIds: TypeAlias = Annotated[tuple[str, ...], Meta(max_length=100)]


class _Wish(msgspec.Struct, frozen=True, kw_only=True):
    """Every request names the moderator that its page is for: another tab may have become another's."""

    moderator: Annotated[str, Meta(max_length=MAX_NAME_CHARS)]


class CaseWish(_Wish, frozen=True, kw_only=True):
    """So many more cases; where `resumes`, first those held already that are not in `case_ids`."""

    most: Annotated[int, Meta(ge=1, le=MOST_CASES)]
    case_ids: _CaseIds = ()
    resumes: bool = False


class Hold(_Wish, frozen=True, kw_only=True):
    """Hold these cases on, or only for as long as a page takes to load again."""

    case_ids: _CaseIds
    is_leaving: bool = False


class Release(_Wish, frozen=True, kw_only=True):
    """Put these cases aside."""

    case_ids: _CaseIds


class Decision(_Wish, frozen=True, kw_only=True):
    """Decide a case."""

    case_id: str
    verdict: Verdict
    note: str = ""


class Undo(_Wish, frozen=True, kw_only=True):
    """Reverse the decision on a case."""

    case_id: str
    reason: str


_Kind = TypeVar("_Kind", bound=_Wish)


class ReviewDesk:
    """Answers the page in JSON."""

    def __init__(self, pages: Pages, parts: ReviewParts) -> None:
        self._pages = pages
        self._parts = parts

    def make_routes(self) -> list[Route]:
        """Below the console's own path."""
        return [
            Route("/review/cases", self.give, methods=["POST"]),
            Route("/review/hold", self.hold, methods=["POST"]),
            Route("/review/release", self.release, methods=["POST"]),
            Route("/review/decide", self.decide, methods=["POST"]),
            Route("/review/undo", self.undo, methods=["POST"]),
        ]

    async def give(self, request: Request) -> Response:
        """The most urgent cases, newly leased, as parts of the page; with fewer, how many are open."""
        wish = await _read(request, CaseWish)
        return _answer(await self._parts.ask(lambda: self._give(wish)))

    async def hold(self, request: Request) -> Response:
        """Those of the cases that are still held."""
        wish = await _read(request, Hold)
        seconds = min(LEAVING_SECONDS, self._parts.lease_seconds)
        seconds = seconds if wish.is_leaving else self._parts.lease_seconds
        leasing = self._parts.leasing
        held = await self._parts.ask(lambda: leasing.extend(wish.moderator, wish.case_ids, seconds))
        return _answer({"case_ids": held})

    async def release(self, request: Request) -> Response:
        """Those of the cases that were held until now."""
        wish = await _read(request, Release)
        leasing = self._parts.leasing
        held = await self._parts.ask(lambda: leasing.release(wish.moderator, wish.case_ids))
        return _answer({"case_ids": held})

    async def decide(self, request: Request) -> Response:
        """The status that the case has now."""
        wish = await _read(request, Decision)
        ruling = make_ruling(request, wish.moderator, wish.verdict, wish.note)
        parts = self._parts
        case = await parts.ask(lambda: parts.deciding.decide(wish.case_id, ruling, parts.find_policy()))
        parts.metrics.decisions.add((wish.verdict.value,))
        return _answer({"status": case.status})

    async def undo(self, request: Request) -> Response:
        """The status that the case has now."""
        wish = await _read(request, Undo)
        reversal = make_reversal(request, wish.moderator, wish.reason)
        parts = self._parts
        case = await parts.ask(lambda: parts.deciding.reopen(wish.case_id, reversal, parts.find_policy()))
        return _answer({"status": case.status})

    def _give(self, wish: CaseWish) -> dict[str, object]:
        """Blocks; for the store's threads."""
        parts, policy = self._parts, self._parts.find_policy()
        ids = self._find_held(wish) if wish.resumes else []
        if len(ids) < wish.most:
            request = LeaseRequest(
                moderator=wish.moderator, limit=wish.most - len(ids), lease_seconds=parts.lease_seconds
            )
            leased = parts.leasing.lease(request, policy)
            parts.metrics.leases.add(amount=len(leased))
            ids += [case.case_id for case in leased]
        found = [detail for case_id in ids if (detail := parts.reading.read_case(case_id)) is not None]
        open_cases = None if len(found) == wish.most else parts.reading.count_cases(MOST_COUNTED)
        return {
            "cases": [{"case_id": one.case.case_id, "html": self._render(one)} for one in found],
            "seconds": parts.lease_seconds,
            "is_done": open_cases == 0,
            "left": None if open_cases is None else tell_count(open_cases),
        }

    def _find_held(self, wish: CaseWish) -> list[str]:
        """Cases that the moderator holds and the page has not, held anew."""
        query = QueueQuery(leased_by=wish.moderator, limit=wish.most + len(wish.case_ids))
        held = [case.case_id for case in self._parts.reading.list_cases(query).cases]
        missing = [case_id for case_id in held if case_id not in wish.case_ids][: wish.most]
        if not missing:
            return []
        kept = set(self._parts.leasing.extend(wish.moderator, missing, self._parts.lease_seconds))
        return [case_id for case_id in missing if case_id in kept]

    def _render(self, detail: CaseDetail) -> str:
        view = view_case(detail, self._parts.find_policy(), datetime.now(UTC))
        return self._pages.render_part("case.html.jinja", view=view, is_alone=False)


async def _read(request: Request, kind: type[_Kind]) -> _Kind:
    """The body; refused where it is none, or another moderator's than this browser is signed in as."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES:
            raise HTTPException(413, "The request is too large. Load the page again.")
    try:
        wish = msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError as error:
        raise HTTPException(422, f"The request can't be read: {error}. Load the page again.") from error
    if find_moderator(request) != wish.moderator:
        raise HTTPException(401, "This browser reviews under another name by now. Load the page again.")
    return wish


def _answer(document: object) -> Response:
    return Response(msgspec.json.encode(document), headers=_HEADERS)


_HEADERS = {"content-type": "application/json", "cache-control": "no-store"}
