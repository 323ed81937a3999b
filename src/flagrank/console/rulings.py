"""Decisions and their reversal as pages send them: who sent them, and texts that can be stored."""

from starlette.exceptions import HTTPException
from starlette.requests import Request

from flagrank.triage.audit import MAX_REASON_CHARS, name_key
from flagrank.triage.feature_schema import has_control_characters
from flagrank.triage.report_problems import TEXT_CONTROLS
from flagrank.triage.review import MAX_NOTE_CHARS, Reversal, Ruling, Verdict


def make_ruling(request: Request, moderator: str, verdict: Verdict, note: str) -> Ruling:
    """What the moderator decides; an empty note is none. Raises `HTTPException`."""
    actor = name_key(request.scope["state"].get("console_key"))
    return Ruling(
        moderator=moderator, actor=actor, verdict=verdict, note=_read("note", note, MAX_NOTE_CHARS) or None
    )


def make_reversal(request: Request, moderator: str, reason: str) -> Reversal:
    """What the moderator takes back, and why. Raises `HTTPException`."""
    actor = name_key(request.scope["state"].get("console_key"))
    told = _read("reason", reason, MAX_REASON_CHARS)
    if not told:
        raise HTTPException(422, "The reason is empty. Say why the case is opened again.")
    return Reversal(moderator=moderator, actor=actor, reason=told)


def _read(name: str, text: str, longest: int) -> str:
    text = text.replace("\r\n", "\n").strip()  # forms send both
    if len(text) > longest:
        raise HTTPException(422, f"The {name} is longer than {longest:,} characters. Write a shorter one.")
    if has_control_characters(text, TEXT_CONTROLS):
        raise HTTPException(422, f"The {name} holds a control character. Write it again without.")
    return text
