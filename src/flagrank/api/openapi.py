"""The OpenAPI document: FastAPI's, with the plain-ASGI route, examples of every problem, and headers."""

import json
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from flagrank.api.guard import HEALTH_PATHS
from flagrank.api.model_description import SCHEMAS as MODEL_SCHEMAS
from flagrank.api.model_description import describe_model_paths
from flagrank.api.policy_description import SCHEMAS as POLICY_SCHEMAS
from flagrank.api.policy_description import describe_policy_paths
from flagrank.api.prediction_description import PREDICTION, describe_prediction
from flagrank.api.problems import (
    encode_problem,
    make_encoding_problem,
    make_no_key_problem,
    make_no_model_problem,
    make_origin_problem,
    make_size_problem,
    make_timeout_problem,
)
from flagrank.api.report_description import JsonSchema, describe_report, make_example
from flagrank.api.review_description import SCHEMAS as REVIEW_SCHEMAS
from flagrank.api.review_description import describe_review_paths
from flagrank.api.task_description import SCHEMAS as TASK_SCHEMAS
from flagrank.api.task_description import describe_task_paths
from flagrank.triage.errors import FlagrankError, InvalidReports, MalformedBody
from flagrank.triage.feature_schema import FeatureSchema
from flagrank.triage.report import MAX_REPORTS
from flagrank.triage.report_decoding import ReportDecoder

DESCRIPTION = """Ranks user reports: calibrated scores become an expected-harm order.

Every answer carries `X-Request-Id`: the one sent, else a new one. Whatever can't be answered as asked is a
problem (RFC 9457, `application/problem+json`): `detail` says what is wrong, where, and what to do; `code` is
stable."""
TAGS = [
    {"name": "scoring", "description": "Scores and the order that follows from them."},
    {"name": "tasks", "description": "Scoring later: accepted means on disk, and that it will be scored."},
    {"name": "review", "description": "Cases, most urgent first: who looks at which, and what they decide."},
    {"name": "models", "description": "Which model scores, and which ones are being tried."},
    {"name": "policy", "description": "The numbers of the ranking that people choose."},
    {"name": "service", "description": "Whether the process lives, and whether it should be sent requests."},
]
REQUEST_ID = "4f1d2c0b9a8e-17"


def describe_application(
    application: FastAPI, schema: FeatureSchema, reasons: Collection[str]
) -> dict[str, Any]:
    """The whole document, for reports of this schema."""
    document = get_openapi(
        title=application.title,
        version=application.version,
        description=DESCRIPTION,
        tags=TAGS,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        routes=application.routes,
    )
    request = _describe_request(schema, reasons)
    problems = _describe_problems(ReportDecoder(schema, reasons), make_example(schema))
    document["paths"] = {
        "/prediction": {"post": describe_prediction(request, problems)},
        **describe_task_paths(request, problems, describe_problem),
        **describe_review_paths(problems, describe_problem),
        **describe_model_paths(problems, describe_problem),
        **describe_policy_paths(problems, describe_problem),
        **document["paths"],
        "/metrics": {"get": _describe_metrics({status: problems[status] for status in ("401", "403")})},
    }
    schemas = {
        "Report": describe_report(schema, reasons),
        "Prediction": PREDICTION,
        **TASK_SCHEMAS,
        **REVIEW_SCHEMAS,
        **MODEL_SCHEMAS,
        **POLICY_SCHEMAS,
        "Problem": _PROBLEM,
    }
    document.setdefault("components", {}).setdefault("schemas", {}).update(schemas)
    document["components"]["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "Asked for once a key exists."}
    }
    document["components"]["headers"] = {"X-Request-Id": _REQUEST_ID_HEADER}
    document["components"]["parameters"] = {"X-Request-Id": _REQUEST_ID_PARAMETER}
    for path, item in document["paths"].items():
        for operation in item.values():
            if path not in HEALTH_PATHS:
                operation["security"] = [{"key": []}, {}]
            operation.setdefault("parameters", []).append({"$ref": "#/components/parameters/X-Request-Id"})
            for response in operation["responses"].values():
                response["headers"] = {"X-Request-Id": {"$ref": "#/components/headers/X-Request-Id"}}
    return document


def describe_problem(description: str, error: FlagrankError) -> JsonSchema:
    """A response that carries this problem, for one."""
    _, _, body = encode_problem(REQUEST_ID, error)
    content = {"schema": {"$ref": "#/components/schemas/Problem"}, "example": json.loads(body)}
    return {"description": description, "content": {"application/problem+json": content}}


def _describe_request(schema: FeatureSchema, reasons: Collection[str]) -> JsonSchema:
    """The body of reports, as both scoring routes take it."""
    first = make_example(schema)
    second = first | {"report_id": "r-1002", "reason": min(reasons), "exposure": 40}
    examples = {
        "one": {"summary": "One report", "value": [first]},
        "two": {"summary": "Two reports, one with a reason and an exposure", "value": [first, second]},
    }
    reports = {
        "type": "array",
        "minItems": 1,
        "maxItems": MAX_REPORTS,
        "items": {"$ref": "#/components/schemas/Report"},
    }
    return {"required": True, "content": {"application/json": {"schema": reports, "examples": examples}}}


def _describe_metrics(problems: dict[str, JsonSchema]) -> JsonSchema:
    example = "# TYPE flagrank_ready gauge\nflagrank_ready 1.0\n"
    text = {"schema": {"type": "string"}, "example": example}
    return {
        "tags": ["service"],
        "summary": "What was counted, for Prometheus",
        "description": "Prometheus's text format, or OpenMetrics where `Accept` asks for it.",
        "operationId": "metrics",
        "responses": {
            "200": {"description": "Every metric.", "content": {"text/plain": text}},
            **problems,
        },
    }


def _describe_problems(decoder: ReportDecoder, report: JsonSchema) -> dict[str, JsonSchema]:
    """The problems of the scoring route; those of the body are what the decoder says of a bad one."""
    malformed, invalid = (_refuse(decoder, body) for body in ("[{", json.dumps([report | {"exposure": -1}])))
    problems: list[tuple[int, str, FlagrankError]] = [
        (400, "The body is no JSON, or the request no proper HTTP.", malformed),
        (401, "Keys exist, and the request has none that is in force.", make_no_key_problem()),
        (403, "A foreign host, a page of another site, or a key without the scope.", make_origin_problem()),
        (408, "The request was not whole in time.", make_timeout_problem(30)),
        (413, "The body is larger than the limit.", make_size_problem(32 * 2**20)),
        (415, "The body is not JSON in UTF-8 by its Content-Type, or compressed.", make_encoding_problem()),
        (422, "A field or a query value breaks its rule; `errors` names up to 20, by path.", invalid),
        (503, "No model is loaded.", make_no_model_problem()),
    ]
    return {str(status): describe_problem(text, error) for status, text, error in problems}


def _refuse(decoder: ReportDecoder, body: str) -> FlagrankError:
    try:
        decoder.decode(body.encode(), datetime.now(UTC))
    except (MalformedBody, InvalidReports) as error:
        return error
    raise AssertionError(body)


_PROBLEM: JsonSchema = {
    "type": "object",
    "title": "Problem",
    "required": ["type", "title", "status", "detail", "code", "errors", "request_id"],
    "properties": {
        "type": {"type": "string", "description": "always about:blank: `code` tells problems apart"},
        "title": {"type": "string", "description": "the status in words"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "what is wrong, where, and what to do"},
        "code": {"type": "string", "description": "stable, for programs"},
        "errors": {
            "type": "array",
            "maxItems": 20,
            "description": "bad fields, in the order of the body",
            "items": {
                "type": "object",
                "required": ["path", "detail"],
                "properties": {"path": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
        "request_id": {"type": "string", "description": "the answer's X-Request-Id"},
    },
}

_REQUEST_ID_HEADER = {
    "description": "The request's id.",
    "required": True,
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,128}$"},
}
_REQUEST_ID_PARAMETER = {
    "name": "X-Request-Id",
    "in": "header",
    "description": "The caller's own id, which the answer carries back; one that is not made of 1 to 128 of "
    "`A-Z a-z 0-9 . _ -` is replaced.",
    "schema": {"type": "string"},
}
