"""Problems (RFC 9457): what a client is told when a request can't be answered as asked."""

from collections.abc import Iterable, Sequence
from http import HTTPStatus

import msgspec
from starlette.types import Scope, Send

from flagrank.triage.errors import FieldProblem, FlagrankError, InvalidReports, MalformedBody, NoModel

MEDIA_TYPE = "application/problem+json"
STATUS_OF: dict[type[FlagrankError], int] = {MalformedBody: 400, InvalidReports: 422, NoModel: 503}

Headers = Iterable[tuple[bytes, bytes]]


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

    def __init__(self, status: int, code: str, detail: str, headers: Headers = ()) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.headers = tuple(headers)


def encode_problem(scope: Scope, error: FlagrankError) -> tuple[int, bytes, list[tuple[bytes, bytes]]]:
    """Status, body and headers of the answer to an error."""
    is_http = isinstance(error, HttpProblem)
    status = error.status if is_http else STATUS_OF.get(type(error), 500)
    problem = Problem(
        type="about:blank",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=error.detail,
        code=error.code,
        errors=error.fields,
        request_id=scope["state"]["request_id"],
    )
    body = msgspec.json.encode(problem)
    headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", b"%d" % len(body)), (b"cache-control", b"no-store")]
    return status, body, headers + (list(error.headers) if is_http else [])


async def send_problem(scope: Scope, send: Send, error: FlagrankError) -> None:
    """Answer a request with a problem."""
    status, body, headers = encode_problem(scope, error)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
