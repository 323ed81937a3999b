"""Bytes of a request -> reports: fast where all is well, and by a slower reading that names every bad field where not."""

import json
from collections.abc import Collection
from datetime import datetime
from operator import attrgetter
from typing import Annotated, NoReturn

import msgspec
from msgspec import UNSET, Meta

from flagrank.triage.errors import InvalidReports, MalformedBody
from flagrank.triage.feature_schema import FeatureSchema
from flagrank.triage.report import CONTEXT_FIELDS, MAX_REPORTS, Report, report_type
from flagrank.triage.report_problems import MAX_AHEAD, JsonObject, NotJson, find_problems
from flagrank.triage.times import parse_time


class ReportDecoder:
    """Decodes request bodies of one schema under one policy's reasons."""

    def __init__(self, schema: FeatureSchema, reasons: Collection[str]) -> None:
        self._schema = schema
        self._reasons = frozenset(reasons)
        self._type = report_type(schema)
        self._decoder = msgspec.json.Decoder(Annotated[list[self._type], Meta(min_length=1, max_length=MAX_REPORTS)])  # type: ignore[name-defined]
        self._integers = [attrgetter(f"f{i}") for i, feature in enumerate(schema.feature) if feature.type == "integer"]
        required = [feature.name for feature in schema.feature if not feature.optional]
        self._required_colons = sum(1 + name.count(":") for name in required)
        self._maybe = [(f"f{i}", feature.name) for i, feature in enumerate(schema.feature) if feature.optional]
        self._maybe += [(name, name) for name in CONTEXT_FIELDS]
        self._open = [f"f{i}" for i, feature in enumerate(schema.feature) if feature.type == "category"]

    def decode(self, body: bytes, received_at: datetime) -> list[Report]:
        """Read 1 .. 10,000 reports from a JSON array.

        Raises `MalformedBody` where the bytes are no JSON, `InvalidReports` where a field breaks its rule. Blocks for about
        1 us a report, 10 us where the body has to be read twice.
        """
        try:
            reports: list[Report] = self._decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._decode_slowly(body, received_at)
        if self._is_whole(reports) and self._is_clean(body, reports, received_at):
            return reports
        return self._decode_slowly(body, received_at)

    def _is_whole(self, reports: list[Report]) -> bool:
        """Whether every integer is one: 12 and 12.0 are, 12.5 is not."""
        for get in self._integers:
            for value in map(get, reports):
                if type(value) is float and value % 1:
                    return False
        return True

    def _is_clean(self, body: bytes, reports: list[Report], received_at: datetime) -> bool:
        """Whether no field is doubled and reasons and times hold.

        msgspec keeps the last of two equal names. Each name brings a colon, and the other colons stand inside strings, so a
        doubled name shows as a colon too many. A colon written as an escape would hide in that sum; such a body is read again.
        """
        colons = body.count(b":")
        if b"\\u003" in body:
            return False
        expected = len(reports) * self._required_colons
        if colons == expected:
            return True
        for attribute in self._open:
            expected += sum(value.count(":") for report in reports if (value := getattr(report, attribute)).__class__ is str)
        for attribute, name in self._maybe:
            values = [value for value in map(attrgetter(attribute), reports) if value is not UNSET]
            expected += len(values) * (1 + name.count(":"))
            expected += sum(value.count(":") for value in values if value.__class__ is str)
        return colons == expected and all(self._holds(report, received_at) for report in reports)

    def _holds(self, report: Report, received_at: datetime) -> bool:
        if report.reason is not UNSET and report.reason not in self._reasons:
            return False
        if report.reported_at is UNSET:
            return True
        try:
            return parse_time(report.reported_at) <= received_at + MAX_AHEAD
        except ValueError:
            return False

    def _decode_slowly(self, body: bytes, received_at: datetime) -> list[Report]:
        parsed = _parse_json(body)
        problems = find_problems(parsed, self._schema, self._reasons, received_at)
        if problems:
            count = f"{len(problems)} fields are" if len(problems) > 1 else "1 field is"
            raise InvalidReports(f"{count} not as the report schema says; nothing was scored. {problems[0].detail}", problems)
        plain = [dict(report) for report in parsed]  # type: ignore[attr-defined]
        return msgspec.convert(plain, list[self._type])  # type: ignore[name-defined]


def _parse_json(body: bytes) -> object:
    try:
        return json.loads(
            body.decode(), object_pairs_hook=JsonObject, parse_int=_parse_integer, parse_constant=NotJson
        )
    except UnicodeDecodeError as error:
        _refuse(f"byte {error.start} is not UTF-8", error)
    except json.JSONDecodeError as error:
        _refuse(f"{error.msg} at line {error.lineno}, column {error.colno}", error)
    except RecursionError as error:
        _refuse("it is nested too deeply", error)


def _refuse(reason: str, cause: Exception) -> NoReturn:
    raise MalformedBody(f"The body is no JSON: {reason}. Send a JSON array of reports in UTF-8.") from cause


def _parse_integer(digits: str) -> int | float:
    """Integers of any length: Python's own limit of 4,300 digits is an error of another kind."""
    return int(digits) if len(digits) < 400 else float(digits)
