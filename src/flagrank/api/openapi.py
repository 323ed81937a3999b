"""The OpenAPI description of the plain-ASGI routes, made from the feature schema like everything else."""

from collections.abc import Collection
from typing import Any

from flagrank.triage.feature_schema import MAX_CATEGORY_CHARS, Feature, FeatureSchema
from flagrank.triage.report import MAX_EXPOSURE, MAX_REPORTS

JsonSchema = dict[str, Any]

_NO_CONTROLS = r"^[^\u0000-\u001f\u007f-\u009f]*$"
_TEXT = r"^[^\u0000-\u0008\u000b-\u001f\u007f-\u009f]*$"
_URL = r"^[Hh][Tt][Tt][Pp][Ss]?://[^\s\u0000-\u001f\u007f-\u009f]+$"


def describe_report(schema: FeatureSchema, reasons: Collection[str]) -> JsonSchema:
    """One report as JSON Schema: the schema's features, then what stands for every schema."""
    return {
        "type": "object",
        "title": "Report",
        "additionalProperties": False,
        "required": [feature.name for feature in schema.feature if not feature.optional],
        "properties": {feature.name: _describe_feature(feature) for feature in schema.feature}
        | _describe_context(reasons),
    }


def make_example(schema: FeatureSchema) -> dict[str, Any]:
    """A report with the least that is required: first values, zeros where the range has them."""
    return {feature.name: _example_value(feature) for feature in schema.feature if not feature.optional}


def describe_prediction(
    schema: FeatureSchema, reasons: Collection[str]
) -> tuple[JsonSchema, dict[str, JsonSchema]]:
    """The path item of `POST /prediction`, and the component schemas that it refers to."""
    example = make_example(schema)
    second = example | {"report_id": "r-1002", "reason": "scam", "exposure": 40}
    operation = {
        "tags": ["scoring"],
        "summary": "Score and rank reports now",
        "description": "Scores up to 10,000 reports and ranks them by expected harm. Nothing is stored.",
        "operationId": "predict_now",
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {
                        "type": "array",
                        "minItems": 1,
                        "maxItems": MAX_REPORTS,
                        "items": {"$ref": "#/components/schemas/Report"},
                    },
                    "examples": {
                        "one": {"summary": "One report", "value": [example]},
                        "two": {
                            "summary": "Two reports, one with a reason and an exposure",
                            "value": [example, second],
                        },
                    },
                }
            },
        },
        "responses": {
            "200": {
                "description": "Scores, priorities and the ranking, in the order sent.",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Prediction"}}},
            },
            **{str(status): problem_response(text) for status, text in _PROBLEMS.items()},
        },
    }
    components = {"Report": describe_report(schema, reasons), "Prediction": _PREDICTION, "Problem": _PROBLEM}
    return {"post": operation}, components


def problem_response(description: str) -> JsonSchema:
    """A response that carries a problem."""
    return {
        "description": description,
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


def _describe_feature(feature: Feature) -> JsonSchema:
    low, high = feature.bounds
    described: JsonSchema
    match feature.type:
        case "category" if feature.open:
            described = {
                "type": "string",
                "minLength": 1,
                "maxLength": MAX_CATEGORY_CHARS,
                "pattern": _NO_CONTROLS,
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
    return int(value) if value == int(value) else value


def _describe_context(reasons: Collection[str]) -> dict[str, JsonSchema]:
    identity = {"type": "string", "minLength": 1, "maxLength": 128, "pattern": _NO_CONTROLS}
    return {
        "report_id": identity | {"description": "the caller's own id"},
        "reporter_id": identity | {"description": "who reports"},
        "reported_id": identity | {"description": "who is reported"},
        "content_id": identity | {"description": "the message or profile reported"},
        "content_url": {
            "type": "string",
            "maxLength": 2_048,
            "pattern": _URL,
            "description": "http(s) link to it in the caller's own tools; never fetched",
        },
        "content_text": {
            "type": "string",
            "maxLength": 10_000,
            "pattern": _TEXT,
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
            "description": "when the user reported, with offset, not over 5 minutes ahead; absent = now",
        },
    }


_PROBLEMS = {
    400: "The body is no JSON.",
    403: "The request comes from a foreign host or origin.",
    408: "The body was not whole in time.",
    413: "The body is larger than the limit.",
    415: "The body is not application/json, or is compressed.",
    422: "A field breaks its rule; `errors` names up to 20 of them by path.",
    503: "No model is loaded.",
}

_PREDICTION: JsonSchema = {
    "type": "object",
    "title": "Prediction",
    "required": ["model", "scores", "priorities", "ranking", "policy"],
    "properties": {
        "model": {
            "type": "object",
            "required": ["name", "version"],
            "properties": {"name": {"type": "string"}, "version": {"type": "string"}},
        },
        "scores": {
            "type": "array",
            "items": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
            "description": "calibrated P(actionable), in the order sent",
        },
        "priorities": {
            "type": "array",
            "items": {"type": "number"},
            "description": "expected harm, in the order sent",
        },
        "ranking": {
            "type": "array",
            "items": {"type": "integer"},
            "description": "indices of the reports, highest priority first; ties keep the order sent",
        },
        "policy": {"type": "string", "examples": ["default@1"]},
    },
}

_PROBLEM: JsonSchema = {
    "type": "object",
    "title": "Problem",
    "required": ["type", "title", "status", "detail", "code", "errors", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "what is wrong, where, and what to do"},
        "code": {"type": "string", "description": "stable, for programs"},
        "errors": {
            "type": "array",
            "maxItems": 20,
            "items": {
                "type": "object",
                "required": ["path", "detail"],
                "properties": {
                    "path": {"type": "string", "examples": ["reports[3].popularity"]},
                    "detail": {"type": "string"},
                },
            },
        },
        "request_id": {"type": "string"},
    },
}
