"""`POST /prediction` in the OpenAPI document."""

from typing import Any

from flagrank.api.report_description import JsonSchema
from flagrank.api.task_description import CHALLENGER_PART
from flagrank.triage.report import MAX_REPORTS


def describe_prediction(request: JsonSchema, problems: dict[str, JsonSchema]) -> JsonSchema:
    """The operation, for a body of reports and with the problems that it may answer."""
    examples = {
        "scores": {"summary": "Two reports", "value": _EXAMPLE},
        "explained": {"summary": "The same with explain=true", "value": _EXPLAINED_EXAMPLE},
    }
    answer = {"schema": {"$ref": "#/components/schemas/Prediction"}, "examples": examples}
    return {
        "tags": ["scoring"],
        "summary": "Score and rank reports now",
        "description": f"Scores up to {MAX_REPORTS:,} reports and ranks them by expected harm. "
        "Nothing is stored. "
        "The answer for a report does not depend on what else is in the request.",
        "operationId": "predict_now",
        "parameters": [_EXPLAIN],
        "requestBody": request,
        "responses": {
            "200": {
                "description": "Scores, priorities and the ranking; explanations where asked for.",
                "content": {"application/json": answer},
            },
            **problems,
        },
    }


_EXPLAIN: JsonSchema = {
    "name": "explain",
    "in": "query",
    "description": "true: say of each score what every feature contributed to it. Takes milliseconds a "
    "report, as the model is asked for 64 x 2^features rows: at most 2,000,000 in a request, and for at "
    "most 10 features. While 8 requests are being explained, others that ask for it get 503.",
    "schema": {"type": "boolean", "default": False},
    "example": True,
}

_EXAMPLE: dict[str, Any] = {
    "model": {"name": "report-priority", "version": "3"},
    "scores": [0.0127, 0.8312],
    "priorities": [0.1753, 39.27],
    "ranking": [1, 0],
    "policy": "default@1",
}

_EXPLAINED_EXAMPLE: dict[str, Any] = _EXAMPLE | {
    "explanations": [
        {
            "base_value": -2.5,
            "contributions": {
                "abuse_type": -0.15,
                "report_text_len": -1.2,
                "profile_rating": -0.3,
                "popularity": -0.1,
                "lifetime_matches_created": -0.1034,
            },
            "sentence": "Much less likely than usual to deserve action: lowered by length of the report's "
            "text (0, low) and reporter's rating (unknown).",
        },
        {
            "base_value": -2.5,
            "contributions": {
                "abuse_type": 0.1,
                "report_text_len": 1.9,
                "profile_rating": 0.9,
                "popularity": 0.8,
                "lifetime_matches_created": 0.3941,
            },
            "sentence": "Much more likely than usual to deserve action: raised by length of the report's "
            "text (620, high) and reporter's rating (4.6, high).",
        },
    ]
}

_EXPLANATION: JsonSchema = {
    "type": "object",
    "description": "base value and contributions add up to the score's log-odds, ln(score / (1 - score))",
    "required": ["base_value", "contributions", "sentence"],
    "properties": {
        "base_value": {
            "type": "number",
            "description": "mean log-odds of 64 reports of the training data; the same for every report",
        },
        "contributions": {
            "type": "object",
            "additionalProperties": {"type": "number"},
            "description": "what each feature of the model adds or takes, by its name: exact Shapley values",
        },
        "sentence": {"type": "string", "description": "how likely beside the usual, and why, for people"},
    },
}

PREDICTION: JsonSchema = {
    "type": "object",
    "title": "Prediction",
    "required": list(_EXAMPLE),
    "properties": {
        "model": {
            "type": "object",
            "description": "which model scored; outside a registry `sha256:` and 12 digits",
            "required": ["name", "version"],
            "properties": {"name": {"type": "string"}, "version": {"type": "string"}},
        },
        "scores": {
            "type": "array",
            "items": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
            "description": "calibrated chances that a report deserves action, in the order sent",
        },
        "priorities": {
            "type": "array",
            "items": {"type": "number", "minimum": 0},
            "description": "expected harm of waiting, in the order sent: of a case that held this report "
            "alone, from a reporter without a record, under the active policy",
        },
        "ranking": {
            "type": "array",
            "items": {"type": "integer", "minimum": 0},
            "description": "indices of the reports, highest priority first; ties keep the order sent",
        },
        "policy": {"type": "string", "description": "name and version of the policy that ranked"},
        "challenger": CHALLENGER_PART,
        "explanations": {
            "type": "array",
            "items": _EXPLANATION,
            "description": "of each score, in the order sent; there with `explain=true` only",
        },
    },
    "examples": [_EXPLAINED_EXAMPLE],
}
