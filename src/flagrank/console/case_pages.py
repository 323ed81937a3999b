"""One case with all that is known of it, and forms that decide it or open it again; without scripts, too."""

from datetime import UTC, datetime

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from flagrank.console.case_view import CaseView, view_case
from flagrank.console.moderator import NAME, find_moderator
from flagrank.console.navigation import CASES
from flagrank.console.pages import Pages, find_status
from flagrank.console.review_parts import ReviewParts
from flagrank.console.rulings import make_reversal, make_ruling
from flagrank.triage.errors import CaseNotFound, FlagrankError
from flagrank.triage.review import MAX_NOTE_CHARS, Verdict

FORM_BYTES = 64 * 2**10
_LABELS = {Verdict.ACTIONED: "Action", Verdict.DISMISSED: "Dismiss", Verdict.ESCALATED: "Escalate"}


class CasePages:
    """Reads and changes one case through the ports."""

    def __init__(self, pages: Pages, parts: ReviewParts) -> None:
        self._pages = pages
        self._parts = parts

    def make_routes(self) -> list[Route]:
        """Below the console's own path."""
        return [
            Route("/cases/{case_id}", self.show),
            Route("/cases/{case_id}/decision", self.decide, methods=["POST"]),
            Route("/cases/{case_id}/reopen", self.reopen, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """One case."""
        return self._show(request, await self._find(request))

    async def decide(self, request: Request) -> Response:
        """Decide it, or say why not."""
        moderator = find_moderator(request)
        if moderator is None:
            return RedirectResponse(NAME, 303)
        form = await _read_form(request)
        verdict = next((one for one in Verdict if one == form.get("verdict")), None)
        if verdict is None:
            return self._show(request, await self._find(request), 422, "Choose what is decided.")
        ruling = make_ruling(request, moderator, verdict, str(form.get("note", "")))
        parts, case_id = self._parts, request.path_params["case_id"]
        try:
            await parts.ask(lambda: parts.deciding.decide(case_id, ruling, parts.find_policy()))
            parts.metrics.decisions.add((verdict.value,))
        except FlagrankError as error:
            return self._show(request, await self._find(request), find_status(error), error.detail)
        return RedirectResponse(f"{CASES}/{case_id}", 303)

    async def reopen(self, request: Request) -> Response:
        """Open it again, or say why not."""
        moderator = find_moderator(request)
        if moderator is None:
            return RedirectResponse(NAME, 303)
        form = await _read_form(request)
        reversal = make_reversal(request, moderator, str(form.get("reason", "")))
        parts, case_id = self._parts, request.path_params["case_id"]
        try:
            await parts.ask(lambda: parts.deciding.reopen(case_id, reversal, parts.find_policy()))
        except FlagrankError as error:
            return self._show(request, await self._find(request), find_status(error), error.detail)
        return RedirectResponse(f"{CASES}/{case_id}", 303)

    def _show(self, request: Request, view: CaseView, status: int = 200, detail: str = "") -> Response:
        allowed = [one for one in Verdict if one.value != view.case.status.value]
        return self._pages.show(
            request.scope,
            "case_page.html.jinja",
            status,
            view=view,
            is_alone=True,
            detail=detail,
            verdicts={verdict: _LABELS[verdict] for verdict in allowed},
            moderator=find_moderator(request),
            most_note_chars=MAX_NOTE_CHARS,
        )

    async def _find(self, request: Request) -> CaseView:
        parts, case_id = self._parts, request.path_params["case_id"]
        detail = await parts.ask(lambda: parts.reading.read_case(case_id))
        if detail is None:
            raise CaseNotFound("No case has this id. Look for it in the queue.")
        return view_case(detail, parts.find_policy(), datetime.now(UTC))


async def _read_form(request: Request) -> FormData:
    async with request.form(max_files=0, max_fields=2, max_part_size=FORM_BYTES) as form:
        return form
