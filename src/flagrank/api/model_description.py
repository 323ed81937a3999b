"""The model routes in OpenAPI: parameters, bodies, answers and problems, each with an example."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import msgspec

from flagrank.api.json_body import decode_body
from flagrank.api.models import NO_VERSION, Promotion, show_gate
from flagrank.api.problems import HttpProblem
from flagrank.api.report_description import NO_CONTROLS, JsonSchema
from flagrank.triage.audit import MAX_REASON_CHARS, AuditAction
from flagrank.triage.errors import FlagrankError, GateRefused, ModelConflict, ModelNotFound, StoreUnavailable
from flagrank.triage.gate import Gate, Verdict
from flagrank.triage.model_registry import DEFAULT_SHARE, ModelRole

DescribeProblem: TypeAlias = Callable[[str, FlagrankError], JsonSchema]

_TIME = {"type": "string", "format": "date-time"}
_NUMBER_OR_NULL = {"type": ["number", "null"]}
_STATE = {"type": ["object", "null"], "description": "null before a publication and after a deletion"}
_REASON = {
    "type": ["string", "null"],
    "minLength": 1,
    "maxLength": MAX_REASON_CHARS,
    "pattern": NO_CONTROLS,
    "description": "why; kept with the change",
}

_MODEL_EXAMPLE: dict[str, Any] = {
    "name": "report-priority",
    "version": 4,
    "role": "none",
    "share": None,
    "sha256": "1f0c6f6c2e4d7a9b8c5d3e2f1a0b9c8d7e6f5a4b3c2d1e0f9a8b7c6d5e4f3a2b",
    "published_at": "2026-01-05T09:00:00.120381Z",
    "metrics": {"roc_auc": {"value": 0.861, "low": 0.854, "high": 0.868}},
}
_CHAMPION = _MODEL_EXAMPLE | {"role": "champion"}
_GATE = Gate(
    verdict=Verdict.ALIKE,
    measure="roc_auc",
    champion_version=3,
    rows=18_211,
    positives=2_190,
    difference=0.0012,
    low=-0.0007,
    high=0.0031,
)
_LOSS = Gate(
    verdict=Verdict.WORSE,
    measure="roc_auc",
    champion_version=3,
    rows=18_211,
    positives=2_190,
    difference=-0.0212,
    low=-0.0261,
    high=-0.0165,
)
_GATE_EXAMPLE: dict[str, Any] = msgspec.to_builtins(show_gate(_GATE))
_SHOWN_EXAMPLE = _MODEL_EXAMPLE | {
    "role": "shadow",
    "history": [
        {
            "at": "2026-01-05T09:04:11.000317Z",
            "actor": "key:data-science",
            "action": "model.role",
            "before": {"role": "none"},
            "after": {"role": "shadow"},
            "reason": "first network",
        }
    ],
    "shadow": {
        "champion_version": 3,
        "reports": 4_120,
        "since": "2026-01-05T09:04:13.201733Z",
        "mean_difference": 0.0021,
        "mean_absolute_difference": 0.0184,
        "rank_correlation": 0.981,
        "top_agreement": 0.87,
    },
}

_MODEL: dict[str, JsonSchema] = {
    "name": {"type": "string"},
    "version": {"type": "integer", "minimum": 1, "description": "over all names, given by the registry"},
    "role": {"type": "string", "enum": [str(role) for role in ModelRole]},
    "share": _NUMBER_OR_NULL | {"description": "of the reports, where it is the challenger"},
    "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
    "published_at": _TIME,
    "metrics": {"type": "object", "description": "those of its manifest"},
}
_GATE_FIELDS: dict[str, JsonSchema] = {
    "verdict": {"type": "string", "enum": [str(verdict) for verdict in Verdict]},
    "sentence": {"type": "string", "description": "the same in words"},
    "measure": {"type": "string"},
    "champion_version": {"type": "integer"},
    "rows": {"type": "integer", "minimum": 0, "description": "held-out rows that both packages have"},
    "positives": {"type": "integer", "minimum": 0},
    "difference": _NUMBER_OR_NULL | {"description": "the model's measure less the champion's"},
    "low": _NUMBER_OR_NULL | {"description": "of its 95 % interval"},
    "high": _NUMBER_OR_NULL,
}
_ENTRY: dict[str, JsonSchema] = {
    "at": _TIME,
    "actor": {"type": "string", "description": "key:NAME, user:NAME, or local where no key is asked for"},
    "action": {
        "type": "string",
        "enum": [str(action) for action in AuditAction if action.startswith("model.")],
    },
    "before": _STATE,
    "after": _STATE,
    "reason": {"type": ["string", "null"]},
}
_SUMMARY: dict[str, JsonSchema] = {
    "champion_version": {"type": "integer", "description": "the champion it was logged beside"},
    "reports": {"type": "integer", "minimum": 1, "description": "sampled ones"},
    "since": _TIME,
    "mean_difference": {"type": "number", "description": "its score less the champion's"},
    "mean_absolute_difference": {"type": "number"},
    "rank_correlation": _NUMBER_OR_NULL | {"description": "Spearman's"},
    "top_agreement": {"type": "number", "description": "share of the champion's top 5 % that it has, too"},
}


def _object(title: str, properties: Mapping[str, JsonSchema], example: object) -> JsonSchema:
    return {
        "type": "object",
        "title": title,
        "required": list(properties),
        "properties": dict(properties),
        "examples": [example],
    }


def _refer(name: str) -> JsonSchema:
    return {"$ref": f"#/components/schemas/{name}"}


def _or_null(title: str, properties: Mapping[str, JsonSchema]) -> JsonSchema:
    described = {"title": title, "required": list(properties), "properties": dict(properties)}
    return described | {"type": ["object", "null"]}


SCHEMAS: dict[str, JsonSchema] = {
    "Model": _object("Model", _MODEL, _MODEL_EXAMPLE),
    "ModelList": _object(
        "ModelList",
        {"models": {"type": "array", "items": _refer("Model")}},
        {"models": [_MODEL_EXAMPLE, _CHAMPION | {"version": 3}]},
    ),
    "ShownModel": _object(
        "ShownModel",
        _MODEL
        | {
            "history": {
                "type": "array",
                "description": "what was done to it, oldest first",
                "items": _object("AuditEntry", _ENTRY, _SHOWN_EXAMPLE["history"][0]),
            },
            "shadow": _or_null("ShadowSummary", _SUMMARY),
        },
        _SHOWN_EXAMPLE,
    ),
    "Promoted": _object(
        "Promoted", _MODEL | {"gate": _or_null("Gate", _GATE_FIELDS)}, _CHAMPION | {"gate": _GATE_EXAMPLE}
    ),
}

_VERSION = {
    "name": "version",
    "in": "path",
    "required": True,
    "description": "The model's number.",
    "schema": {"type": "integer", "minimum": 1, "maximum": 2**31 - 1},
    "example": 4,
}
_PROMOTION: JsonSchema = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"reason": _REASON, "force": {"type": "boolean", "default": False}},
    # A forced one has a reason.
    "anyOf": [
        {"properties": {"force": {"const": False}}},
        {"required": ["reason"], "properties": {"reason": {"type": "string"}}},
    ],
}
_ROLLBACK: JsonSchema = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"reason": _REASON},
}
_SHARE = {
    "type": ["number", "null"],
    "exclusiveMinimum": 0,
    "maximum": 1,
    "description": f"of the reports; {DEFAULT_SHARE:g} where nothing is said",
}
_ROLE: JsonSchema = {
    "anyOf": [
        {
            "type": "object",
            "title": "Challenger",
            "additionalProperties": False,
            "required": ["role"],
            "properties": {"role": {"const": "challenger"}, "share": _SHARE, "reason": _REASON},
        },
        {
            "type": "object",
            "title": "Shadow, or no role",
            "additionalProperties": False,
            "required": ["role"],
            "properties": {"role": {"enum": ["shadow", "none"]}, "reason": _REASON},
        },
    ]
}
_WORDS = {
    "list_models": ("List published models, newest first", "All of them, with their roles and figures."),
    "read_model": (
        "Look at a model",
        "With what was done to it, by whom and why, and how it compared with the champion as a shadow.",
    ),
    "publish_model": (
        "Publish a package",
        (
            "A .zip of what `train` wrote. It is verified in a process with limits before it is stored; the "
            "same package again is the version that it already has."
        ),
    ),
    "promote_model": (
        "Make a model the champion",
        (
            "Every server and worker serves it within two seconds. It is verified first, and compared with "
            "the champion on the rows that both have held out: a clear loss is refused unless it is forced, "
            "with a reason."
        ),
    ),
    "roll_back_model": (
        "Return to the champion before",
        "Again, to the one before that. It is verified, and not compared.",
    ),
    "give_role": (
        "Make a model the challenger or the shadow, or neither",
        (
            "A challenger scores a share of the reports, always the same people's; a shadow scores a sample "
            "of them for `GET /model/{version}` alone. Who had the role before has none."
        ),
    ),
    "delete_model": (
        "Delete a model that nothing refers to",
        "Its package goes with it; its number is not given again.",
    ),
}


def describe_model_paths(
    shared: Mapping[str, JsonSchema], describe: DescribeProblem
) -> dict[str, JsonSchema]:
    """The paths of models; `shared` are the problems of whatever takes a body."""
    asking = {status: shared[status] for status in ("400", "401", "403", "408")} | {
        "422": describe("A query value, or a field of the body, breaks its rule.", _refuse_body()),
        "503": describe(
            "The store does not answer.",
            StoreUnavailable("The database can't be used now: it does not answer. Try again later."),
        ),
    }
    no_model = {"404": describe("No model has this version.", ModelNotFound(NO_VERSION))}
    sending = {status: shared[status] for status in ("413", "415")}
    conflict = ModelConflict("Version 3 is the champion. Promote another version before you delete it.")
    standing = {"409": describe("The registry as it stands does not allow it.", conflict)}
    loss = {
        "409": describe(
            "It is clearly worse, its schema does not fit, or another champion stands now.",
            GateRefused(
                f"Version 4 is not promoted. {_LOSS.sentence} Train a better one, or force it with a reason."
            ),
        )
    }
    damaged = "The package is no readable .zip: File is not a zip file. Make the package again."
    bad = {"422": describe("The package is refused.", HttpProblem(422, "package_refused", damaged))}
    model = _answer("The model.", "Model", _MODEL_EXAMPLE)
    promoted = _answer("The champion.", "Promoted", _CHAMPION | {"gate": _GATE_EXAMPLE})
    listed = _answer("All models.", "ModelList", {"models": [_MODEL_EXAMPLE]})
    publish = asking | sending | bad | {"200": model, "201": model}
    shown = _answer("The model.", "ShownModel", _SHOWN_EXAMPLE)
    give = asking | no_model | sending | standing | {"200": model}
    role_body = _body(_ROLE, {"role": "challenger", "share": 0.05, "reason": "a tenth is too much"})
    return {
        "/model": {
            "get": _operation("list_models", asking | {"200": listed}),
            "post": _operation("publish_model", publish, body=_PACKAGE_BODY),
        },
        "/model/rollback": {
            "post": _operation(
                "roll_back_model",
                asking | sending | standing | {"200": _answer("The champion.", "Model", _CHAMPION)},
                body=_body(_ROLLBACK, {"reason": "too many false alarms"}, required=False),
            )
        },
        "/model/{version}": {
            "get": _operation("read_model", asking | no_model | {"200": shown}, _VERSION),
            "delete": _operation(
                "delete_model", asking | no_model | standing | {"204": {"description": "Gone."}}, _VERSION
            ),
        },
        "/model/{version}/promote": {
            "post": _operation(
                "promote_model",
                asking | no_model | sending | loss | {"200": promoted},
                _VERSION,
                body=_body(_PROMOTION, {"reason": "retrained on December"}, required=False),
            )
        },
        "/model/{version}/role": {"post": _operation("give_role", give, _VERSION, body=role_body)},
    }


_PACKAGE_BODY: JsonSchema = {
    "required": True,
    "description": "The .zip of a package.",
    "content": {"application/zip": {"schema": {"type": "string", "format": "package"}}},
}


def _operation(
    name: str,
    responses: Mapping[str, JsonSchema],
    *parameters: JsonSchema,
    body: JsonSchema | None = None,
) -> JsonSchema:
    summary, description = _WORDS[name]
    return {
        "tags": ["models"],
        "summary": summary,
        "description": description,
        "operationId": name,
        "parameters": list(parameters),
        "responses": dict(responses),
        **({} if body is None else {"requestBody": body}),
    }


def _body(schema: JsonSchema, example: object, *, required: bool = True) -> JsonSchema:
    return {"required": required, "content": {"application/json": {"schema": schema, "example": example}}}


def _answer(description: str, schema: str, example: object) -> JsonSchema:
    content = {"schema": _refer(schema), "example": example}
    return {"description": description, "content": {"application/json": content}}


def _refuse_body() -> HttpProblem:
    try:
        decode_body(b'{"force": "yes"}', Promotion)
    except HttpProblem as problem:
        return problem
    raise AssertionError
