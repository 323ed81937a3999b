"""Problems (RFC 9457): what a client is told when a request can't be answered as asked."""

from collections.abc import Iterable, Sequence

import msgspec
from starlette.types import Scope, Send

from flagrank.triage.errors import FieldProblem, FlagrankError, InvalidReports, MalformedBody, NoModel

MEDIA_TYPE = b"application/problem+json"
# The names that RFC 9110 gives them; http.HTTPStatus has those of an older one before Python 3.13.
TITLES = {
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Content",
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
        self, status: int, code: str, detail: str, headers: Iterable[tuple[bytes, bytes]] = ()
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.headers = tuple(headers)


def make_no_model_problem() -> NoModel:
    """What scoring answers while nothing can score."""
    return NoModel("No model is loaded: nothing can be scored. Start the server with --demo or --model DIR.")


def make_origin_problem() -> HttpProblem:
    """What a page of another site is told."""
    detail = "The request comes from a page of another site. Send it from a page of this server or a program."
    return HttpProblem(403, "foreign_origin", detail)


def make_timeout_problem(seconds: float) -> HttpProblem:
    """What a client is told that takes too long to send its request."""
    detail = f"The request was not whole within {seconds:g} s. Send it faster, or send less."
    return HttpProblem(408, "request_timeout", detail)


def make_size_problem(limit_bytes: int, headers: Iterable[tuple[bytes, bytes]] = ()) -> HttpProblem:
    """What a client is told whose body is larger than the limit."""
    detail = f"The body is larger than {limit_bytes:,} bytes. Split it into several requests."
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
STATUS_OF: dict[type[FlagrankError], int] = {MalformedBody: 400, InvalidReports: 422, NoModel: 503}
TOLD = (HttpProblem, MalformedBody, InvalidReports, NoModel)


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
    return status, headers, body


async def send_problem(scope: Scope, send: Send, error: FlagrankError) -> None:
    """Answer a request with a problem."""
    status, headers, body = encode_problem(scope["state"]["request_id"], error)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
