"""What a report looks like, as JSON Schema and by example: made from the feature schema like all else."""

import math
from collections.abc import Collection
from typing import Any

from flagrank.triage.feature_schema import MAX_CATEGORY_CHARS, Feature, FeatureSchema
from flagrank.triage.report import MAX_EXPOSURE

JsonSchema = dict[str, Any]

NO_CONTROLS = r"^[^\u0000-\u001f\u007f-\u009f]*$"
TEXT = r"^[^\u0000-\u0008\u000b-\u001f\u007f-\u009f]*$"
_URL = r"^[Hh][Tt][Tt][Pp][Ss]?://[^/?#\\\s\u0000-\u001f\u007f-\u009f][^\\\s\u0000-\u001f\u007f-\u009f]*$"


def describe_report(schema: FeatureSchema, reasons: Collection[str]) -> JsonSchema:
    """One report as JSON Schema: the schema's features, then what stands for every schema."""
    return {
        "type": "object",
        "title": "Report",
        "description": "One report by one user. Unknown fields, and fields given twice, are refused.",
        "additionalProperties": False,
        "required": [feature.name for feature in schema.feature if not feature.optional],
        "properties": {feature.name: _describe_feature(feature) for feature in schema.feature}
        | _describe_context(reasons),
        "examples": [make_example(schema)],
    }


def make_example(schema: FeatureSchema) -> dict[str, Any]:
    """A report with the least that is required: first values, zeros where the range has them."""
    return {feature.name: _example_value(feature) for feature in schema.feature if not feature.optional}


def _describe_feature(feature: Feature) -> JsonSchema:
    low, high = feature.bounds
    described: JsonSchema
    match feature.type:
        case "category" if feature.open:
            described = {
                "type": "string",
                "minLength": 1,
                "maxLength": MAX_CATEGORY_CHARS,
                "pattern": NO_CONTROLS,
            }
        case "category":
            described = {"type": "string", "enum": list(feature.values)}
        case "boolean":
            described = {"type": "boolean"}
        case _:
            described = {"type": feature.type, "minimum": low, "maximum": high}
    if feature.may_be_null:
        described["type"] = [described["type"], "null"]
        if "enum" in described:
            described["enum"].append(None)
    return described | ({"description": feature.description} if feature.description else {})


def _example_value(feature: Feature) -> Any:  # noqa: ANN401 - any JSON value
    if feature.type == "category":
        return feature.values[0] if feature.values else "a"
    if feature.type == "boolean":
        return False
    low, high = feature.bounds
    value = min(max(0.0, low), high)
    if feature.type == "integer":
        return math.ceil(value)
    return int(value) if value == int(value) else value


def _describe_context(reasons: Collection[str]) -> dict[str, JsonSchema]:
    identity = {"type": "string", "minLength": 1, "maxLength": 128, "pattern": NO_CONTROLS}
    return {
        "report_id": identity | {"description": "the caller's own id", "examples": ["r-1002"]},
        "reporter_id": identity | {"description": "who reports", "examples": ["u-17"]},
        "reported_id": identity | {"description": "who is reported", "examples": ["u-204"]},
        "content_id": identity | {"description": "the message or profile reported", "examples": ["m-88"]},
        "content_url": {
            "type": "string",
            "maxLength": 2_048,
            "pattern": _URL,
            "description": "http(s) link to it in the caller's own tools; never fetched",
            "examples": ["https://tools.example.org/messages/m-88"],
        },
        "content_text": {
            "type": "string",
            "maxLength": 10_000,
            "pattern": TEXT,
            "description": "what was reported, for the moderator's eyes only; never a feature, never logged",
        },
        "reason": {
            "type": "string",
            "enum": sorted(reasons),
            "description": "the reporter's stated category",
        },
        "exposure": {
            "type": "number",
            "minimum": 0,
            "maximum": MAX_EXPOSURE,
            "description": "expected further views of the reported content",
        },
        "reported_at": {
            "type": "string",
            "format": "date-time",
            "maxLength": 64,
            "description": "RFC 3339 time at which the user reported; absent = when we received it. "
            "Not over 5 minutes ahead.",
            "examples": ["2026-01-05T10:00:00+01:00"],
        },
    }
