"""What is wrong with a report that did not decode: every bad field by path, in a sentence a sender can act on."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from datetime import datetime, timedelta
from itertools import islice
from urllib.parse import urlsplit

import msgspec

from flagrank.triage.errors import FieldProblem
from flagrank.triage.feature_schema import (
    Feature,
    FeatureSchema,
    describe_expected,
    describe_problem,
    has_control_characters,
    is_valid,
    show,
    what_to_send,
)
from flagrank.triage.report import CONTEXT_FIELDS, MAX_EXPOSURE, MAX_REPORTS
from flagrank.triage.times import parse_time

MAX_PROBLEMS = 20
MAX_AHEAD = timedelta(minutes=5)


class JsonObject(list[tuple[str, object]]):
    """The pairs of a JSON object as they were written, doubled names included."""


class NotJson(msgspec.Struct, frozen=True):
    """NaN or Infinity, which JSON does not have."""

    literal: str


def find_problems(body: object, schema: FeatureSchema, reasons: Collection[str], received_at: datetime) -> list[FieldProblem]:
    """All that is wrong with a parsed body, at most 20 fields; an empty list where every report is valid."""
    if isinstance(body, JsonObject):
        return [FieldProblem("reports", "The body is one object; expected an array of reports. Put it between [ and ].")]
    if not isinstance(body, list):
        return [FieldProblem("reports", "The body is no array; expected an array of reports. Send [{...}, ...].")]
    if not 1 <= len(body) <= MAX_REPORTS:
        detail = f"The body has {len(body):,} reports; expected 1 to {MAX_REPORTS:,}. Split it into several requests."
        return [FieldProblem("reports", detail if body else "The body has no report; expected 1 to 10,000. Send at least one.")]
    checks = _Checks(schema, reasons, received_at)
    every = (problem for index, report in enumerate(body) for problem in checks.find(report, f"reports[{index}]"))
    return list(islice(every, MAX_PROBLEMS))


class _Checks:
    """The rules of one schema and policy, looked up by field name."""

    def __init__(self, schema: FeatureSchema, reasons: Collection[str], received_at: datetime) -> None:
        self._features = {feature.name: feature for feature in schema.feature}
        self._context: dict[str, Callable[[object], str | None]] = {
            **dict.fromkeys(("report_id", "reporter_id", "reported_id", "content_id"), _find_id_fault),
            "content_url": _find_url_fault,
            "content_text": _find_text_fault,
            "reason": lambda value: _find_reason_fault(value, reasons),
            "exposure": _find_exposure_fault,
            "reported_at": lambda value: _find_time_fault(value, received_at),
        }

    def find(self, report: object, path: str) -> Iterator[FieldProblem]:
        if not isinstance(report, JsonObject):
            shown = show(report) if not isinstance(report, list) else "an array"
            yield FieldProblem(path, f"{path} is {shown}; expected an object with the fields of a report. Send one.")
            return
        counts = Counter(name for name, _ in report)
        for name, count in counts.items():
            place = f"{path}.{_printable(name)}"
            if name not in self._features and name not in self._context:
                yield FieldProblem(place, f"{place} is no field of a report. Remove it or correct its name.")
            elif count > 1:
                yield FieldProblem(place, f"{place} is given {count} times. Send it once.")
        yield from (self._find_missing(feature, path) for feature in self._features.values() if self._lacks(feature, counts))
        for name, value in report:
            if counts[name] == 1:
                yield from self._find_bad_value(name, value, f"{path}.{_printable(name)}")

    @staticmethod
    def _lacks(feature: Feature, counts: Counter[str]) -> bool:
        return not feature.optional and feature.name not in counts

    @staticmethod
    def _find_missing(feature: Feature, path: str) -> FieldProblem:
        place = f"{path}.{_printable(feature.name)}"
        return FieldProblem(place, f"{place} is missing; expected {describe_expected(feature)}. {what_to_send(feature)}")

    def _find_bad_value(self, name: str, value: object, place: str) -> Iterator[FieldProblem]:
        if isinstance(value, NotJson):
            yield FieldProblem(place, f"{place} is {value.literal}, which JSON does not have. Send a number, or null if unknown.")
        elif name in self._features:
            feature = self._features[name]
            if not is_valid(feature, value):
                yield FieldProblem(place, describe_problem(feature, place, _shorten(value)))
        elif name in self._context:
            fault = self._context[name](value)
            if fault:
                yield FieldProblem(place, f"{place} {fault}")


def _shorten(value: object) -> object:
    """A value that can be shown: containers are named, not echoed."""
    return "an object" if isinstance(value, JsonObject) else "an array" if isinstance(value, list) else value


def _printable(name: str) -> str:
    """A field's name as it may stand in an answer and a log: no control characters, no surrogates, not endless."""
    if name.isprintable() and len(name) <= 64:
        return name
    return name[:64].encode("unicode_escape").decode()


def find_context_fault(name: str, value: object, reasons: Collection[str], received_at: datetime) -> str | None:
    """What is wrong with the value of an identity or context field, as the rest of a sentence; None where it is valid."""
    return _Checks(FeatureSchema(()), reasons, received_at)._context[name](value)


def _find_string_fault(value: object, longest: int, *, shortest: int = 1, allowed: str = "") -> str | None:
    """The value itself is not echoed: it may be personal, or long."""
    if not isinstance(value, str):
        return f"is no text; expected a text of {shortest} to {longest:,} characters. Send a string, or leave it out."
    if not shortest <= len(value) <= longest:
        return f"has {len(value):,} characters; expected {shortest} to {longest:,}. Shorten it, or leave it out."
    if has_control_characters(value, allowed):
        return "holds a control character or half of a surrogate pair. Remove it."
    return None


def _find_id_fault(value: object) -> str | None:
    return _find_string_fault(value, 128)


def _find_text_fault(value: object) -> str | None:
    return _find_string_fault(value, 10_000, shortest=0, allowed="\n\t")


def _find_url_fault(value: object) -> str | None:
    fault = _find_string_fault(value, 2_048)
    if fault or not isinstance(value, str):
        return fault
    if any(c.isspace() for c in value) or not value.lower().startswith(("http://", "https://")) or not value.split("://", 1)[1]:
        return "is no http or https link. Send one that starts with https://, or leave it out."
    return None


def _find_reason_fault(value: object, reasons: Collection[str]) -> str | None:
    if isinstance(value, str) and value in reasons:
        return None
    return f"is {show(_shorten(value))}, no reason of the active policy. Send one of {', '.join(sorted(reasons))}, or leave it out."


def _find_exposure_fault(value: object) -> str | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and 0 <= value <= MAX_EXPOSURE:  # type: ignore[operator]
        return None
    return f"is {show(_shorten(value))}; expected a number from 0 to {MAX_EXPOSURE:,.0f}. Send the expected further views, or leave it out."


def _find_time_fault(value: object, received_at: datetime) -> str | None:
    try:
        time = parse_time(value) if isinstance(value, str) else None
    except ValueError:
        time = None
    if time is None:
        return f"is {show(_shorten(value))}; expected a time with offset. Send RFC 3339, as in 2027-01-05T10:00:00+01:00, or leave it out."
    if time > received_at + MAX_AHEAD:
        return f"is {show(value)}, more than 5 minutes ahead of our clock. Correct the sender's clock, or leave it out."
    return None
