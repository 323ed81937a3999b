"""The policy's routes in OpenAPI: bodies, answers and problems, each with an example."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from flagrank.api.model_description import DescribeProblem
from flagrank.api.policy import SOURCE
from flagrank.api.report_description import NO_CONTROLS, JsonSchema
from flagrank.triage.audit import MAX_REASON_CHARS
from flagrank.triage.errors import FieldProblem, PolicyRefused, StoreUnavailable
from flagrank.triage.policy_ports import make_unknown_version

_VERSION_FIELDS: dict[str, JsonSchema] = {
    "policy": {"type": "string", "description": "name and version, as answers carry them"},
    "version": {"type": "integer", "minimum": 1, "description": "over all names, given by the store"},
    "activated_at": {
        "type": ["string", "null"],
        "format": "date-time",
        "description": "the last time; null where the built-in policy never was",
    },
    "activated_by": {
        "type": ["string", "null"],
        "description": "key:NAME, user:NAME, or local where no key is asked for",
    },
}
_BUILT_IN = {"policy": "default@1", "version": 1, "activated_at": None, "activated_by": None}
_ACTIVE: dict[str, Any] = {
    "policy": "night@2",
    "version": 2,
    "activated_at": "2027-01-05T20:00:00.120381Z",
    "activated_by": "key:trust-and-safety",
}


def _object(title: str, properties: Mapping[str, JsonSchema], example: object) -> JsonSchema:
    return {
        "type": "object",
        "title": title,
        "required": list(properties),
        "properties": dict(properties),
        "examples": [example],
    }


SCHEMAS: dict[str, JsonSchema] = {
    "Policy": _object(
        "Policy",
        _VERSION_FIELDS
        | {
            "toml": {"type": "string", "description": "its text, as it was activated"},
            "versions": {
                "type": "array",
                "description": "all that were activated: the active one first, then by when",
                "items": _object("PolicyVersion", _VERSION_FIELDS, _BUILT_IN),
            },
        },
        _ACTIVE | {"toml": 'name = "night"', "versions": [_ACTIVE, _BUILT_IN]},
    ),
    "Activated": _object("Activated", {"policy": _VERSION_FIELDS["policy"]}, {"policy": "night@2"}),
}

_VERSION = {
    "name": "version",
    "in": "query",
    "description": "Of which policy; the active one where it is left out.",
    "schema": {"type": "integer", "minimum": 1, "maximum": 2**31 - 1},
    "example": 1,
}
_REASON = {
    "name": "reason",
    "in": "query",
    "description": "Why; kept with the change.",
    "schema": {"type": "string", "minLength": 1, "maxLength": MAX_REASON_CHARS, "pattern": NO_CONTROLS},
    "example": "fewer moderators at night",
}


def describe_policy_paths(
    shared: Mapping[str, JsonSchema], describe: DescribeProblem
) -> dict[str, JsonSchema]:
    """The path of the policy; `shared` are the problems of whatever takes a body."""
    fault = f"{SOURCE}: severities.spam is 0; expected a number over 0 and at most 1,000. Change it."
    asking = {status: shared[status] for status in ("400", "401", "403", "408")} | {
        "422": describe(
            "A query value, or the policy, breaks a rule; `errors` names up to 20 places in it.",
            PolicyRefused(fault, [FieldProblem("severities.spam", fault)]),
        ),
        "503": describe(
            "The store does not answer.",
            StoreUnavailable("The database can't be used now: it does not answer. Try again later."),
        ),
    }
    text = files("flagrank").joinpath("default_policy.toml").read_text(encoding="utf-8")
    text = text.replace('"default"', '"night"')
    shown = _ACTIVE | {"toml": text, "versions": [_ACTIVE, _BUILT_IN]}
    toml = {"schema": {"type": "string", "format": "policy"}, "example": text}
    return {
        "/policy": {
            "get": {
                "tags": ["policy"],
                "summary": "Look at the policy that ranks",
                "description": "With its TOML and all versions; as TOML alone where `Accept` asks for it.",
                "operationId": "read_policy",
                "parameters": [_VERSION],
                "responses": asking
                | {
                    "200": _answer("The policy.", "Policy", shown, toml),
                    "404": describe("No policy has this version.", make_unknown_version(7)),
                },
            },
            "put": {
                "tags": ["policy"],
                "summary": "Activate another policy",
                "description": "It is checked as a whole. Every server and worker ranks by it within two "
                "seconds; what was begun before ends as it began. The text of a version that there is makes "
                "that one active again.",
                "operationId": "activate_policy",
                "parameters": [_REASON],
                "requestBody": {"required": True, "content": {"application/toml": toml}},
                "responses": asking
                | {status: shared[status] for status in ("413", "415")}
                | {"200": _answer("The policy is active.", "Activated", {"policy": "night@2"})},
            },
        }
    }


def _answer(description: str, schema: str, example: object, toml: JsonSchema | None = None) -> JsonSchema:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}, "example": example}}
    if toml is not None:
        content["application/toml"] = toml
    return {"description": description, "content": content}
