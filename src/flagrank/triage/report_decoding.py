"""Bytes of a request -> reports: read fast where all is well, and again to name every bad field where not."""

import json
import re
from collections.abc import Collection
from datetime import datetime
from itertools import islice
from operator import attrgetter
from typing import Annotated, Any, NoReturn

import msgspec
from msgspec import UNSET, Meta

from flagrank.triage.errors import FieldProblem, InvalidReports, MalformedBody
from flagrank.triage.feature_schema import FeatureSchema, has_control_characters
from flagrank.triage.report import CONTEXT_FIELDS, MAX_REPORTS, Report, report_type
from flagrank.triage.report_problems import (
    MAX_AHEAD,
    MAX_PROBLEMS,
    TEXT_CONTROLS,
    JsonObject,
    NotJson,
    find_problems,
    is_link,
)
from flagrank.triage.times import parse_time

SPARE_VALUES = 20  # unknown fields of each report that still are named one by one

_VALUES_AND_STRINGS = re.compile(rb'[\[{,]|"(?:[^"\\]++|\\.?)*+"?', re.DOTALL)


class ReportDecoder:
    """Decodes request bodies of one schema under one policy's reasons."""

    def __init__(self, schema: FeatureSchema, reasons: Collection[str]) -> None:
        self._schema = schema
        self._reasons = frozenset(reasons)
        self._type = report_type(schema)
        self._decoder: msgspec.json.Decoder[list[Report]] = msgspec.json.Decoder(
            Annotated[list[self._type], Meta(min_length=1, max_length=MAX_REPORTS)]  # type: ignore[name-defined]
        )
        self._max_values = MAX_REPORTS * (len(schema.feature) + len(CONTEXT_FIELDS) + SPARE_VALUES)
        types = {f"f{position}": feature.type for position, feature in enumerate(schema.feature)}
        self._read_integers = [attrgetter(name) for name, kind in types.items() if kind == "integer"]
        required = [feature for feature in schema.feature if not feature.optional]
        self._required_colons = sum(1 + feature.name.count(":") for feature in required)
        self._has_free_text = any(feature.open for feature in required)
        # A number or truth that may be absent brings the colons of its name; its value has none.
        self._read_optional = [
            (attrgetter(name), 1 + feature.name.count(":"))
            for name, feature in zip(types, schema.feature, strict=True)
            if feature.optional and feature.type != "category"
        ]
        # What may be absent, is free text or holds colons. A value brings one colon, that of its name; the
        # uneven bring one less (the name is counted with the required) or more (the name holds some).
        loose = {
            name: feature
            for name, feature in zip(types, schema.feature, strict=True)
            if feature.type == "category"
            and (feature.optional or feature.open or any(":" in value for value in feature.values))
        }
        self._read_loose = attrgetter(*loose, *CONTEXT_FIELDS)
        colons = {
            name: feature.name.count(":") if feature.optional else -1 for name, feature in loose.items()
        }
        self._uneven = [(attrgetter(name), more) for name, more in colons.items() if more]

    def decode(self, body: bytes, received_at: datetime) -> list[Report]:
        """Read 1 .. 10,000 reports from a JSON array.

        Raises `MalformedBody` where the bytes are no JSON, `InvalidReports` where a field breaks its rule.
        Blocks for about .3 us a report, 2 us where it has all context, 20 us where the body is read again.
        """
        if self._holds_too_much(body):
            detail = (
                f"The body has over {self._max_values:,} values, more than {MAX_REPORTS:,} reports have; "
                "nothing was scored. Split it into several requests."
            )
            raise InvalidReports(detail, [FieldProblem("reports", detail)])
        try:
            reports = self._decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._decode_slowly(body, received_at)
        if self._is_whole(reports) and self._is_clean(body, reports, received_at):
            return reports
        return self._decode_slowly(body, received_at)

    def _holds_too_much(self, body: bytes) -> bool:
        """Whether a body would become objects of many times its size, as `[{},{},...]` does (25 times)."""
        most = self._max_values
        if len(body) < 2 * most or sum(map(body.count, (b",", b"{", b"["))) <= most:
            return False
        tokens = _VALUES_AND_STRINGS.finditer(body)
        outside_strings = (token for token in tokens if body[token.start()] != ord('"'))
        return next(islice(outside_strings, most, None), None) is not None

    def _is_whole(self, reports: list[Report]) -> bool:
        """Whether every integer is one: 12 and 12.0 are, 12.5 is not; null, absent and 0 are left out."""
        for read in self._read_integers:
            if not all(map(float.is_integer, filter(None, map(read, reports)))):
                return False
        return True

    def _is_clean(self, body: bytes, reports: list[Report], received_at: datetime) -> bool:
        """Whether no field is doubled and every text holds what it may.

        msgspec keeps the last of two equal names. Each name brings a colon and the other colons stand inside
        strings, so a doubled name shows as a colon too many. A colon written as an escape would hide in that
        sum: such a body is read again.
        """
        if b"\\u003" in body:
            return False
        surplus = body.count(b":") - len(reports) * self._required_colons
        for read, colons in self._read_optional:
            surplus -= colons * sum([read(report) is not UNSET for report in reports])
        if not surplus and not self._has_free_text:
            return True
        values = [value for report in reports for value in self._read_loose(report) if value is not UNSET]
        text = "".join([value for value in values if value.__class__ is str])
        surplus -= len(values) + text.count(":")
        for read, more in self._uneven:
            surplus -= more * sum(read(report) is not UNSET for report in reports)
        return not (
            surplus
            or _has_stray_controls(text, reports)
            or any(report.reason is not UNSET and report.reason not in self._reasons for report in reports)
            or any(report.content_url is not UNSET and not is_link(report.content_url) for report in reports)
            or _has_bad_times(reports, received_at)
        )

    def _decode_slowly(self, body: bytes, received_at: datetime) -> list[Report]:
        parsed: Any = _parse_json(body)
        problems = find_problems(parsed, self._schema, self._reasons, received_at)
        if problems:
            count = len(problems)
            fields = "1 field is" if count == 1 else f"{count} fields are"
            if count == MAX_PROBLEMS:
                fields = f"{count} or more fields are"
            detail = f"{fields} not as the report schema says; nothing was scored. {problems[0].detail}"
            raise InvalidReports(detail, problems)
        return msgspec.convert([dict(report) for report in parsed], list[self._type])  # type: ignore[name-defined]


def _has_stray_controls(text: str, reports: list[Report]) -> bool:
    """Whether all texts together hold a control character that is none of a content_text's own."""
    if text.isprintable():
        return False
    free = "".join([report.content_text for report in reports if report.content_text is not UNSET])
    if any(text.count(character) > free.count(character) for character in TEXT_CONTROLS):
        return True
    return has_control_characters(text, TEXT_CONTROLS)


def _has_bad_times(reports: list[Report], received_at: datetime) -> bool:
    times = [report.reported_at for report in reports if report.reported_at is not UNSET]
    try:
        return max(map(parse_time, times), default=received_at) > received_at + MAX_AHEAD
    except ValueError:
        return True


def _parse_json(body: bytes) -> object:
    try:
        return json.loads(
            body.decode(), object_pairs_hook=JsonObject, parse_int=_parse_integer, parse_constant=NotJson
        )
    except UnicodeDecodeError as error:
        _refuse(f"byte {error.start} is not UTF-8", error)
    except json.JSONDecodeError as error:
        _refuse(f"{error.msg.removesuffix(' at')} at line {error.lineno}, column {error.colno}", error)
    except RecursionError as error:
        _refuse("it is nested too deeply", error)


def _refuse(reason: str, cause: Exception) -> NoReturn:
    raise MalformedBody(f"The body is no JSON: {reason}. Send a JSON array of reports in UTF-8.") from cause


def _parse_integer(digits: str) -> int | float:
    """Integers of any length: over 4,300 digits Python's own reading raises an error of another kind."""
    return int(digits) if len(digits) <= 300 else float(digits)
