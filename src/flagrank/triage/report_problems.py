"""What is wrong with reports that did not decode: every bad field, by path, in a sentence to act on."""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from datetime import datetime, timedelta
from functools import partial
from itertools import islice

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
from flagrank.triage.report import MAX_EXPOSURE, MAX_REPORTS
from flagrank.triage.times import parse_time

MAX_PROBLEMS = 20
MAX_AHEAD = timedelta(minutes=5)
TEXT_CONTROLS = "\n\t"  # what a content_text may hold of the control characters

_LINK = re.compile(r"https?://[^/?#\\\s][^\\\s]*", re.IGNORECASE)

_Rule = Callable[[object], str | None]


class JsonObject(list[tuple[str, object]]):
    """The pairs of a JSON object as they were written, doubled names included."""


class NotJson(msgspec.Struct, frozen=True):
    """NaN or Infinity, which JSON does not have."""

    literal: str


def find_problems(
    body: object, schema: FeatureSchema, reasons: Collection[str], received_at: datetime
) -> list[FieldProblem]:
    """What is wrong with a parsed body, at most 20 fields; an empty list where every report is valid."""
    if isinstance(body, JsonObject):
        detail = "The body is one object; expected an array of reports. Put it between [ and ]."
        return [FieldProblem("reports", detail)]
    if not isinstance(body, list):
        detail = "The body is no array; expected an array of reports. Send [{...}, ...]."
        return [FieldProblem("reports", detail)]
    if not body:
        detail = f"The body has no report; expected 1 to {MAX_REPORTS:,}. Send at least one."
        return [FieldProblem("reports", detail)]
    if len(body) > MAX_REPORTS:
        detail = (
            f"The body has {len(body):,} reports; expected 1 to {MAX_REPORTS:,}. Split it into more requests."
        )
        return [FieldProblem("reports", detail)]
    checks = _Checks(schema, reasons, received_at)
    every = (
        problem for index, report in enumerate(body) for problem in checks.find(report, f"reports[{index}]")
    )
    return list(islice(every, MAX_PROBLEMS))


class _Checks:
    """The rules of one schema and policy, looked up by field name."""

    def __init__(self, schema: FeatureSchema, reasons: Collection[str], received_at: datetime) -> None:
        self._features = {feature.name: feature for feature in schema.feature}
        self._context = _context_rules(reasons, received_at)

    def find(self, report: object, path: str) -> Iterator[FieldProblem]:
        if not isinstance(report, JsonObject):
            detail = (
                f"{path} is {_describe(report)}; expected an object with the fields of a report. Send one."
            )
            yield FieldProblem(path, detail)
            return
        counts = Counter(name for name, _ in report)
        for name, count in counts.items():
            if name not in self._features and name not in self._context:
                place = f"{path}.{_printable(name)}"
                yield FieldProblem(place, f"{place} is no field of a report. Remove it or correct its name.")
            elif count > 1:
                yield FieldProblem(f"{path}.{name}", f"{path}.{name} is given {count} times. Send it once.")
        for feature in self._features.values():
            if not feature.optional and feature.name not in counts:
                yield _describe_missing(feature, f"{path}.{feature.name}")
        for name, value in report:
            if counts[name] == 1:
                yield from self._find_bad_value(name, value, f"{path}.{name}")

    def _find_bad_value(self, name: str, value: object, place: str) -> Iterator[FieldProblem]:
        if name in self._features:
            feature = self._features[name]
            if isinstance(value, NotJson | list):
                expected = f"expected {describe_expected(feature)}. {what_to_send(feature)}"
                yield FieldProblem(place, f"{place} is {_describe(value)}; {expected}")
            elif not is_valid(feature, value):
                yield FieldProblem(place, describe_problem(feature, place, value))
        elif name in self._context:
            fault = self._context[name](value)
            if fault:
                yield FieldProblem(place, f"{place} {fault}")


def _describe_missing(feature: Feature, place: str) -> FieldProblem:
    detail = f"{place} is missing; expected {describe_expected(feature)}. {what_to_send(feature)}"
    return FieldProblem(place, detail)


def _describe(value: object) -> str:
    """A value in a sentence: short, and what may be long or deep only by its kind."""
    if isinstance(value, NotJson):
        return f"{value.literal}, which JSON does not have"
    if isinstance(value, list):
        return "an object" if isinstance(value, JsonObject) else "an array"
    return show(value)


def _printable(name: str) -> str:
    """An unknown field's name as it may stand in an answer and a log: no control characters, and short."""
    if name.isprintable() and len(name) <= 64:
        return name
    return name[:64].encode("unicode_escape").decode()


def find_context_fault(
    name: str, value: object, reasons: Collection[str], received_at: datetime
) -> str | None:
    """What is wrong with the value of an identity or context field, as the rest of a sentence, or None."""
    return _context_rules(reasons, received_at)[name](value)


def is_link(url: str) -> bool:
    """Whether a text is an http or https link with a host; it will stand in a page, so nothing else may."""
    return _LINK.fullmatch(url) is not None


def _context_rules(reasons: Collection[str], received_at: datetime) -> dict[str, _Rule]:
    return {
        **dict.fromkeys(("report_id", "reporter_id", "reported_id", "content_id"), _find_id_fault),
        "content_url": _find_url_fault,
        "content_text": _find_text_fault,
        "reason": partial(_find_reason_fault, reasons),
        "exposure": _find_exposure_fault,
        "reported_at": partial(_find_time_fault, received_at),
    }


def _find_string_fault(value: object, longest: int, *, shortest: int = 1, allowed: str = "") -> str | None:
    """The value itself is not echoed: it may be personal, or long."""
    if not isinstance(value, str):
        expected = f"expected a text of {shortest} to {longest:,} characters"
        return f"is no text; {expected}. Send a string, or leave it out."
    if not shortest <= len(value) <= longest:
        length = f"{len(value):,} character" + "s" * (len(value) != 1)
        return f"has {length}; expected {shortest} to {longest:,}. Change it, or leave it out."
    if has_control_characters(value, allowed):
        return "holds a control character or half of a surrogate pair. Remove it."
    return None


def _find_id_fault(value: object) -> str | None:
    return _find_string_fault(value, 128)


def _find_text_fault(value: object) -> str | None:
    return _find_string_fault(value, 10_000, shortest=0, allowed=TEXT_CONTROLS)


def _find_url_fault(value: object) -> str | None:
    fault = _find_string_fault(value, 2_048)
    if fault or (isinstance(value, str) and is_link(value)):
        return fault
    return "is no http or https link. Send one that starts with https:// and a host, or leave it out."


def _find_reason_fault(reasons: Collection[str], value: object) -> str | None:
    if isinstance(value, str) and value in reasons:
        return None
    known = ", ".join(sorted(reasons))
    return f"is {_describe(value)}, no reason of the active policy. Send one of {known}, or leave it out."


def _find_exposure_fault(value: object) -> str | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and 0 <= value <= MAX_EXPOSURE:  # type: ignore[operator]
        return None
    return (
        f"is {_describe(value)}; expected a number from 0 to {MAX_EXPOSURE:,.0f}. "
        "Send the expected further views, or leave it out."
    )


def _find_time_fault(received_at: datetime, value: object) -> str | None:
    try:
        time = parse_time(value) if isinstance(value, str) else None
    except ValueError:
        time = None
    if time is None:
        return (
            f"is {_describe(value)}; expected a time with offset. "
            "Send RFC 3339, as in 2027-01-05T10:00:00+01:00, or leave it out."
        )
    if time > received_at + MAX_AHEAD:
        return f"is {show(value)}, over 5 minutes ahead of our clock. Set the sender's, or leave it out."
    return None
