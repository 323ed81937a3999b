"""What every problem has in common."""

from typing import Any

from tests.api.running_server import Answer

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
MEMBERS = ["type", "title", "status", "detail", "code", "errors", "request_id"]
MOST_ERRORS = 20


def check_problem(answer: Answer, status: int, code: str) -> dict[str, Any]:
    """Assert that an answer is a problem as API.md writes it, and return it."""
    assert answer.status == status, answer.body
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = answer.document
    assert list(problem) == MEMBERS
    assert (problem["type"], problem["title"]) == ("about:blank", TITLES[status])
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["request_id"] == answer.headers["X-Request-Id"]
    assert problem["detail"].endswith(".")
    assert len(problem["errors"]) <= MOST_ERRORS
    assert "Traceback" not in answer.body.decode()
    return problem
