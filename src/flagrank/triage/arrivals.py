"""A task's scored reports -> reports on their way into cases."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from flagrank.triage.case import CaseReport, make_voice
from flagrank.triage.ports import ModelIdentity
from flagrank.triage.review import Arrival
from flagrank.triage.times import parse_time

_TEXT = "content_text"


class Scored(msgspec.Struct, frozen=True):
    """A report's score, the model that made it, and the base rate that this was trained with."""

    score: float
    model: ModelIdentity
    base_rate: float


class _Context(msgspec.Struct):
    """What is read of a stored report beside its features; abuse_type may be a feature of any type."""

    report_id: str
    reporter_id: str | None = None
    reported_id: str | None = None
    content_id: str | None = None
    content_text: str | None = None
    reason: str | None = None
    exposure: float | None = None
    reported_at: str | None = None
    abuse_type: Any = None


_decode_contexts = msgspec.json.Decoder(list[_Context]).decode
_decode_fields = msgspec.json.Decoder(list[dict[str, msgspec.Raw]]).decode
_encode = msgspec.json.Encoder().encode


def read_arrivals(reports: bytes, received_at: datetime, scored: Sequence[Scored]) -> list[Arrival]:
    """What a task's reports, its JSON array as stored, bring to their cases; one score for each."""
    together = zip(_decode_contexts(reports), _decode_fields(reports), scored, strict=True)
    return [_read_arrival(context, fields, received_at, score) for context, fields, score in together]


def _read_arrival(
    context: _Context, fields: dict[str, msgspec.Raw], received_at: datetime, scored: Scored
) -> Arrival:
    fields.pop(_TEXT, None)
    return Arrival(
        report_id=context.report_id,
        counted=CaseReport(
            voice=make_voice(scored.score, scored.base_rate),
            received_at=received_at,
            made_at=received_at if context.reported_at is None else parse_time(context.reported_at),
            reporter=context.reporter_id,
            reason=context.reason,
            abuse_type=context.abuse_type if isinstance(context.abuse_type, str) else None,
            exposure=context.exposure,
        ),
        score=scored.score,
        model=scored.model,
        reported_id=context.reported_id,
        content_id=context.content_id,
        fields=_encode(fields),
        content_text=context.content_text,
    )
