"""The routes of the review queue in OpenAPI; what is sent and answered is described by its structs."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from flagrank.api.json_body import decode_body
from flagrank.api.problems import HttpProblem
from flagrank.api.query import LISTED_CASES
from flagrank.api.report_description import NO_CONTROLS, JsonSchema
from flagrank.api.review_wishes import DecisionWish, HeldCases, LeaseWish, ReopenWish
from flagrank.api.shown_cases import CaseView, LeasedCases, ShownCase, ShownQueue, TheirCases
from flagrank.triage.errors import (
    CaseConflict,
    FlagrankError,
    OwnCause,
    StoreUnavailable,
    TooManyLeases,
)
from flagrank.triage.feature_schema import MAX_CATEGORY_CHARS
from flagrank.triage.review import DEFAULT_QUEUE_PAGE, MAX_NAME_CHARS, MAX_QUEUE_PAGE, make_unknown_case

DescribeProblem: TypeAlias = Callable[[str, FlagrankError], JsonSchema]

SCHEMAS: dict[str, JsonSchema] = msgspec.json.schema_components(
    [LeaseWish, HeldCases, DecisionWish, ReopenWish, ShownQueue, LeasedCases, TheirCases, CaseView],
    ref_template="#/components/schemas/{name}",
)[1]

_CASE_ID = "0199c6a1-64a0-7c5e-9a0d-3f1b5d0e7a21"
_CASE_EXAMPLE: dict[str, Any] = {
    "case_id": _CASE_ID,
    "status": "open",
    "priority": 30.42,
    "score": 0.62,
    "severity": 5.0,
    "exposure": 40.0,
    "reason": "scam",
    "abuse_type": "MSG",
    "reported_id": "u-204",
    "content_id": "m-88",
    "n_reports": 2,
    "n_reporters": 2,
    "first_reported_at": "2026-01-05T09:00:00.120381Z",
    "deadline_at": "2026-01-06T09:00:00.120381Z",
    "policy_version": 1,
    "leased_by": None,
    "lease_expires_at": None,
    "decided_at": None,
    "why": "Reported by 2 reporters, at worst for scam (severity 5); 62 % likely to deserve action, "
    "40 further views expected.",
}
_LEASED_EXAMPLE = _CASE_EXAMPLE | {
    "leased_by": "ann",
    "lease_expires_at": "2026-01-05T09:14:02.554870Z",
}
_DECIDED_EXAMPLE = _CASE_EXAMPLE | {"status": "actioned", "decided_at": "2026-01-05T09:05:31.007412Z"}
_RECEIVED_EXAMPLE: dict[str, Any] = {
    "received_at": "2026-01-05T09:00:00.120381Z",
    "made_at": "2026-01-05T08:59:58Z",
    "model": {"name": "report-priority", "version": "3"},
    "record": 0.41,
    "is_answered": False,
}
_VIEW_EXAMPLE = _DECIDED_EXAMPLE | {
    "reports": [
        {"report_id": "r-1002", "reporter_id": "u-17", "reported_id": "u-204", "reason": "scam"},
        {"report_id": "r-1007", "reporter_id": "u-91", "reported_id": "u-204"},
    ],
    "received": [_RECEIVED_EXAMPLE, _RECEIVED_EXAMPLE | {"record": 0.0}],
    "scores": [0.58, 0.22],
    "explanations": [None, None],
    "explained_by": None,
    "history": [
        {
            "event": "lease",
            "at": "2026-01-05T09:04:02.554870Z",
            "moderator": "ann",
            "lease_no": 1,
            "draw": "priority",
            "until": "2026-01-05T09:14:02.554870Z",
            "ended_at": "2026-01-05T09:05:31.007412Z",
        },
        {
            "event": "decision",
            "at": "2026-01-05T09:05:31.007412Z",
            "moderator": "ann",
            "decision": "actioned",
            "decision_no": 1,
            "reason": "asks for money",
            "note": None,
            "is_reversed": False,
            "reversed_at": None,
            "reversed_by": None,
            "reversal_reason": None,
        },
    ],
}
_HELD = {"moderator": "ann", "case_ids": [_CASE_ID]}


def _query(name: str, described: JsonSchema, text: str, example: object) -> JsonSchema:
    return {"name": name, "in": "query", "description": text, "schema": described, "example": example}


def _text(longest: int) -> JsonSchema:
    return {"type": "string", "minLength": 1, "maxLength": longest, "pattern": NO_CONTROLS}


_CASE = {
    "name": "case_id",
    "in": "path",
    "required": True,
    "description": "The case's id.",
    "schema": {"type": "string", "format": "uuid"},
    "example": _CASE_ID,
}
_FILTERS: list[JsonSchema] = [
    _query(
        "status", {"type": "string", "enum": list(LISTED_CASES), "default": "open"}, "Of the cases.", "open"
    ),
    _query("abuse_type", _text(MAX_CATEGORY_CHARS), "Of the case's worst report.", "MSG"),
    _query("reason", _text(MAX_NAME_CHARS), "The same.", "scam"),
    _query("leased_by", _text(MAX_NAME_CHARS), "Only what this moderator holds now.", "ann"),
    _query(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": MAX_QUEUE_PAGE, "default": DEFAULT_QUEUE_PAGE},
        "How many on a page.",
        DEFAULT_QUEUE_PAGE,
    ),
    _query(
        "cursor",
        {"type": "string", "format": "queue-cursor", "pattern": "^[A-Za-z0-9_-]{32}$"},
        "The last page's `next`.",
        "QD5rhR64UewBmcahZKB8XpoNPxtdDnoh",
    ),
]
_WORDS = {
    "list_cases": (
        "List the cases that wait, most urgent first",
        (
            "Walking by `cursor` shows every case that stays open and unchanged exactly once, whatever "
            "others decide meanwhile."
        ),
    ),
    "lease_cases": (
        "Take cases in hand",
        (
            "The most urgent cases that nobody holds, for this moderator alone until the lease is over; none "
            "where nothing waits. Those held already are listed by `GET /queue?leased_by=`."
        ),
    ),
    "hold_cases": ("Hold cases for longer", "For so many seconds from now; answers those that were theirs."),
    "release_cases": (
        "Give cases back",
        "Anyone else gets them at once; this moderator others first, for as long as the policy says.",
    ),
    "read_case": (
        "Look at a case",
        "Its reports with their scores, why the strongest five score as they do, and what was done.",
    ),
    "decide_case": (
        "Decide a case",
        (
            "One that is theirs, or nobody's. The same decision again changes nothing. An escalated case is "
            "not leased any more, and anyone may decide it."
        ),
    ),
    "reopen_case": (
        "Reverse a decision",
        "The case is open again and nobody's; the decision stays in its history as reversed.",
    ),
}


def describe_review_paths(
    shared: Mapping[str, JsonSchema], describe: DescribeProblem
) -> dict[str, JsonSchema]:
    """The paths of the queue and of its cases; `shared` are the problems of whatever takes a body."""
    store = StoreUnavailable("The database can't be used now: it does not answer. Try again later.")
    looking = {status: shared[status] for status in ("400", "401", "403", "408")} | {
        "422": describe("A query value, or a field of the body, breaks its rule.", _refuse_body()),
        "503": describe("The store does not answer.", store),
    }
    sending = looking | {status: shared[status] for status in ("413", "415")}
    full = TooManyLeases(
        "ann holds 1,000 cases, as many as may be at once. Decide or release some, then ask again."
    )
    many = {"429": describe("As many leases stand as may; `Retry-After` says when to ask again.", full)}
    page = {"cases": [_CASE_EXAMPLE], "next": None}
    theirs = {"200": _answer("Those that were theirs.", TheirCases, {"case_ids": [_CASE_ID]})}
    leased = {"200": _answer("The cases.", LeasedCases, {"cases": [_LEASED_EXAMPLE]})}
    asked = _body(LeaseWish, {"moderator": "ann", "limit": 10, "lease_seconds": 600})
    held = _body(HeldCases, _HELD | {"lease_seconds": 600})
    listed = looking | {"200": _answer("A page.", ShownQueue, page)}
    return {
        "/queue": {"get": _operation("list_cases", listed, _FILTERS)},
        "/queue/lease": {"post": _operation("lease_cases", sending | many | leased, body=asked)},
        "/queue/heartbeat": {"post": _operation("hold_cases", sending | theirs, body=held)},
        "/queue/release": {
            "post": _operation("release_cases", sending | theirs, body=_body(HeldCases, _HELD))
        },
        **_describe_case_paths(looking, sending, describe),
    }


def _describe_case_paths(
    looking: dict[str, JsonSchema], sending: dict[str, JsonSchema], describe: DescribeProblem
) -> dict[str, JsonSchema]:
    no_case = {"404": describe("No case has this id.", make_unknown_case())}
    own = OwnCause("The case is about ann. Leave it to another moderator.")
    held = CaseConflict("bob holds the case. Leave it to them, or decide it when their lease is over.")
    changing = (
        sending
        | no_case
        | {
            "403": describe("As elsewhere; or the moderator is reported by the case, or reported it.", own),
            "409": describe("The case as it stands does not allow it.", held),
        }
    )
    shown = looking | no_case | {"200": _answer("The case.", CaseView, _VIEW_EXAMPLE)}
    decided = changing | {"200": _answer("The case.", ShownCase, _DECIDED_EXAMPLE)}
    opened = changing | {"200": _answer("The case.", ShownCase, _CASE_EXAMPLE)}
    decision = {"moderator": "ann", "decision": "actioned", "reason": "asks for money"}
    reopening = {"moderator": "ann", "reason": "the appeal is right"}
    return {
        "/case/{case_id}": {"get": _operation("read_case", shown, [_CASE])},
        "/case/{case_id}/decision": {
            "post": _operation("decide_case", decided, [_CASE], body=_body(DecisionWish, decision))
        },
        "/case/{case_id}/reopen": {
            "post": _operation("reopen_case", opened, [_CASE], body=_body(ReopenWish, reopening))
        },
    }


def _operation(
    name: str,
    responses: Mapping[str, JsonSchema],
    parameters: Sequence[JsonSchema] = (),
    *,
    body: JsonSchema | None = None,
) -> JsonSchema:
    summary, description = _WORDS[name]
    return {
        "tags": ["review"],
        "summary": summary,
        "description": description,
        "operationId": name,
        "parameters": list(parameters),
        "responses": dict(responses),
        **({} if body is None else {"requestBody": body}),
    }


def _refer(kind: type[msgspec.Struct]) -> JsonSchema:
    return {"$ref": f"#/components/schemas/{kind.__name__}"}


def _body(kind: type[msgspec.Struct], example: object) -> JsonSchema:
    content = {"application/json": {"schema": _refer(kind), "example": example}}
    return {"required": True, "content": content}


def _answer(description: str, kind: type[msgspec.Struct], example: object) -> JsonSchema:
    content = {"schema": _refer(kind), "example": example}
    return {"description": description, "content": {"application/json": content}}


def _refuse_body() -> HttpProblem:
    try:
        decode_body(b'{"moderator": "ann", "limit": 0}', LeaseWish)
    except HttpProblem as problem:
        return problem
    raise AssertionError
