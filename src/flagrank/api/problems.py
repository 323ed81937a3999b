"""Problems (RFC 9457): what a client is told when a request can't be answered as asked."""

from collections.abc import Iterable, Sequence

import msgspec
from starlette.types import Scope, Send

from flagrank.triage.errors import (
    CaseConflict,
    CaseNotFound,
    ChangeRefused,
    DatabaseRefused,
    ExplanationRefused,
    FieldProblem,
    FlagrankError,
    GateRefused,
    IdempotencyConflict,
    InvalidCursor,
    InvalidReports,
    MalformedBody,
    ModelConflict,
    ModelNotFound,
    NoModel,
    OwnCause,
    PolicyConflict,
    PolicyNotFound,
    PolicyRefused,
    StoreRefused,
    StoreUnavailable,
    TaskConflict,
    TaskNotFound,
    TooManyLeases,
)

MEDIA_TYPE = b"application/problem+json"
SPLIT = "Split it into several requests."
# The names that RFC 9110 gives them; http.HTTPStatus has those of an older one before Python 3.13.
TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    409: "Conflict",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}

Headers = list[tuple[bytes, bytes]]


class Problem(msgspec.Struct, frozen=True):
    """The body of every answer that is not a success; `errors` names bad fields by path."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: Sequence[FieldProblem]
    request_id: str


class HttpProblem(FlagrankError):
    """A request refused by a rule of HTTP or of this server, before a report is looked at."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        headers: Iterable[tuple[bytes, bytes]] = (),
        *,
        fields: Sequence[FieldProblem] = (),
    ) -> None:
        super().__init__(detail, fields)
        self.status = status
        self.code = code
        self.headers = tuple(headers)


def make_no_model_problem() -> NoModel:
    """What scoring answers while nothing can score."""
    return NoModel(
        "No model is loaded: nothing can be scored. Start the server with --demo or --model DIR, or promote "
        "one with `flagrank model promote VERSION`."
    )


def make_backlog_problem(detail: str) -> HttpProblem:
    """What a client is told whose task would wait behind too many, or find no room."""
    return HttpProblem(503, "backlog_full", detail, [RETRY_AFTER])


def make_explaining_problem(most: int) -> HttpProblem:
    """What a client is told that asks for explanations while enough others wait for theirs."""
    detail = (
        f"This server is explaining the scores of {most} requests already. Ask again later, or score without "
        "explain."
    )
    return HttpProblem(503, "explaining_busy", detail, [RETRY_AFTER])


def make_no_key_problem() -> HttpProblem:
    """What a client is told that sends no key, or one that is not in force."""
    detail = (
        "The request has no API key that is in force. Send the header Authorization: Bearer KEY; "
        "`flagrank keys create` makes one."
    )
    return HttpProblem(401, "no_key", detail, [(b"www-authenticate", b"Bearer")])


def make_scope_problem(scope: str) -> HttpProblem:
    """What a client is told whose key does not allow this."""
    detail = f"The API key lacks the scope {scope}, which this address asks for. Use a key that has it."
    return HttpProblem(403, "scope_missing", detail)


def make_moderator_problem() -> HttpProblem:
    """What a client is told whose key is another moderator's."""
    detail = "The API key carries another moderator's name. Send that name, or use a key of this moderator."
    return HttpProblem(403, "other_moderator", detail)


def make_origin_problem() -> HttpProblem:
    """What a page of another site is told."""
    detail = "The request comes from a page of another site. Send it from a page of this server or a program."
    return HttpProblem(403, "foreign_origin", detail)


def make_timeout_problem(seconds: float) -> HttpProblem:
    """What a client is told that takes too long to send its request."""
    detail = f"The request was not whole within {seconds:g} s. Send it faster, or send less."
    return HttpProblem(408, "request_timeout", detail)


def make_size_problem(
    limit_bytes: int, way_out: str = SPLIT, headers: Iterable[tuple[bytes, bytes]] = ()
) -> HttpProblem:
    """What a client is told whose body is larger than the limit."""
    detail = f"The body is larger than {limit_bytes:,} bytes. {way_out}"
    return HttpProblem(413, "body_too_large", detail, headers)


def make_encoding_problem() -> HttpProblem:
    """What a client is told that compresses its body."""
    detail = "The body has a Content-Encoding, and compressed bodies are not taken. Send it uncompressed."
    return HttpProblem(415, "unsupported_encoding", detail, [(b"accept-encoding", b"identity")])


def make_internal_problem() -> HttpProblem:
    """What a client is told of a fault of ours: nothing of its cause."""
    detail = "This is a fault of ours, and it is in our log. Report it with the request id."
    return HttpProblem(500, "internal_error", detail)


# What a client can cause and is told; anything else is a fault of ours.
STATUS_OF: dict[type[FlagrankError], int] = {
    MalformedBody: 400,
    OwnCause: 403,
    CaseNotFound: 404,
    ModelNotFound: 404,
    PolicyNotFound: 404,
    TaskNotFound: 404,
    CaseConflict: 409,
    GateRefused: 409,
    IdempotencyConflict: 409,
    ModelConflict: 409,
    PolicyConflict: 409,
    TaskConflict: 409,
    ChangeRefused: 422,
    InvalidCursor: 422,
    InvalidReports: 422,
    PolicyRefused: 422,
    ExplanationRefused: 422,
    StoreRefused: 422,
    TooManyLeases: 429,
    DatabaseRefused: 503,
    NoModel: 503,
    StoreUnavailable: 503,
}
TOLD: tuple[type[FlagrankError], ...] = (HttpProblem, *STATUS_OF)
RETRY_SECONDS = 5  # until the same request may be answered where the store, or what stands in it, is why
RETRY_AFTER = (b"retry-after", b"%d" % RETRY_SECONDS)


def encode_problem(request_id: str, error: FlagrankError) -> tuple[int, Headers, bytes]:
    """Status, headers and body of the answer to one of the errors that are `TOLD`."""
    status = error.status if isinstance(error, HttpProblem) else STATUS_OF[type(error)]
    problem = Problem(
        "about:blank", TITLES[status], status, error.detail, error.code, error.fields, request_id
    )
    body = msgspec.json.encode(problem)
    headers = [
        (b"content-type", MEDIA_TYPE),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
    ]
    if isinstance(error, HttpProblem):
        headers += error.headers
    elif isinstance(error, StoreUnavailable | TooManyLeases):
        headers.append(RETRY_AFTER)
    return status, headers, body


async def send_problem(scope: Scope, send: Send, error: FlagrankError) -> None:
    """Answer a request with a problem."""
    status, headers, body = encode_problem(scope["state"]["request_id"], error)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
