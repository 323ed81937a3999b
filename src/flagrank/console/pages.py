"""Renders templates: escaped, in the frame or as the part of a page that htmx replaces."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.responses import HTMLResponse, Response
from starlette.types import Scope

from flagrank.console.lead_view import tell_interval, tell_share
from flagrank.console.navigation import SECTIONS, find_section
from flagrank.triage.api_key import ApiKey
from flagrank.triage.api_key import Scope as KeyScope
from flagrank.triage.case import to_log_odds
from flagrank.triage.errors import (
    CaseConflict,
    CaseNotFound,
    FieldProblem,
    FlagrankError,
    GateRefused,
    ModelConflict,
    ModelNotFound,
    OwnCause,
    PolicyConflict,
    PolicyNotFound,
    SchemaRefused,
    StoreUnavailable,
    TaskConflict,
    TaskNotFound,
    TooManyLeases,
)
from flagrank.triage.policy import show_value
from flagrank.triage.why import tell_why

FOLDER = Path(__file__).parent
# Where a form leads is judged by the browser against the page's own origin, so that it must be told.
SECURITY_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
}
_STATUS_OF: dict[type[FlagrankError], int] = {
    TaskNotFound: 404,
    TaskConflict: 409,
    ModelNotFound: 404,
    ModelConflict: 409,
    GateRefused: 409,
    SchemaRefused: 409,
    CaseNotFound: 404,
    CaseConflict: 409,
    OwnCause: 403,
    TooManyLeases: 429,
    PolicyNotFound: 404,
    PolicyConflict: 409,
    StoreUnavailable: 503,
}
UNCHANGED = 204  # htmx leaves the page as it is


class Pages:
    """The templates of this folder; a name that a template lacks is an error, never an empty text."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(FOLDER / "templates"),
            autoescape=select_autoescape(default=True, default_for_string=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update(
            time=_show_time,
            instant=_show_instant,
            count="{:,}".format,
            digits="{:.4g}".format,
            priority=_show_priority,
            share=show_share,
            percent=tell_share,
            interval=tell_interval,
            log_odds=to_log_odds,
            policy_value=show_value,
            why=tell_why,
        )

    def show(self, scope: Scope, template: str, status: int = 200, **values: object) -> Response:
        """A whole page in the frame."""
        key: ApiKey | None = scope["state"].get("console_key")
        name, scopes = (key.name, key.scopes) if key else (None, frozenset(KeyScope))
        sections = [section for section in SECTIONS if section.opens_to(scopes)]
        text = self._render(
            template,
            signed_in_as=name,
            sections=sections,
            here=find_section(scope["path"]),
            path=scope["path"],
            **values,
        )
        return HTMLResponse(text, status, {"cache-control": "no-store"})

    def render_part(self, template: str, **values: object) -> str:
        """A part of a page, escaped."""
        return self._render(template, **values)

    def render_live(self, template: str, **values: object) -> "LivePart":
        """A part that is asked for again and again."""
        return LivePart(self._render(template, **values))

    def show_live(self, part: "LivePart", seen: str, template: str, **values: object) -> Response:
        """The part around which `template` puts its frame; nothing where the page shows it already."""
        headers = {"cache-control": "no-store"}
        if part.digest == seen:
            return Response(status_code=UNCHANGED, headers=headers)
        return HTMLResponse(self._render(template, part=part, is_update=True, **values), headers=headers)

    def show_refusal(
        self, scope: Scope, status: int, detail: str, fields: Sequence[FieldProblem] = ()
    ) -> Response:
        """A page that says what is wrong and what to do."""
        return self.show(scope, "refusal.html.jinja", status, detail=detail, fields=fields)

    def _render(self, template: str, **values: object) -> str:
        return self._environment.get_template(template).render(values)


def find_status(error: FlagrankError) -> int:
    """The status of a page that says this."""
    return _STATUS_OF.get(type(error), 422)


class LivePart:
    """What a part of a page shows, escaped, and a digest by which the page tells what it has."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.digest = hashlib.sha256(text.encode()).hexdigest()[:16]


def show_share(share: float) -> str:
    """A share as a percentage."""
    return f"{100 * share:.3g}\N{NO-BREAK SPACE}%"


def _show_priority(priority: float) -> str:
    return f"{priority:,.0f}" if priority >= 1_000 else f"{priority:.3g}"


def _show_time(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _show_instant(time: datetime) -> str:
    """For programs, and to the millisecond."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds")
