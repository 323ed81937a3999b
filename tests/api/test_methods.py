"""Methods, addresses and request ids."""

import json

import pytest

from tests.api.problem_checks import check_problem
from tests.api.running_server import JSON_TYPE, REPORT, RunningServer

BODY = json.dumps([REPORT]).encode()
GET_PATHS = ["/heartbeat", "/livez", "/readyz", "/docs", "/openapi.json", "/docs/assets/docs.js"]


@pytest.mark.parametrize("path", GET_PATHS)
def test_other_methods_are_405_and_name_the_allowed_ones(server: RunningServer, path: str) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
        answer = server.ask(method, path, b"" if method == "POST" else None)
        check_problem(answer, 405, "method_not_allowed")
        assert answer.headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"])
def test_a_prediction_is_posted(server: RunningServer, method: str) -> None:
    answer = server.ask(method, "/prediction")
    check_problem(answer, 405, "method_not_allowed")
    assert answer.headers["Allow"] == "POST"


@pytest.mark.parametrize("path", GET_PATHS)
def test_head_answers_as_get_without_the_body(server: RunningServer, path: str) -> None:
    head, get = server.ask("HEAD", path), server.get(path)
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Type"] == get.headers["Content-Type"]
    assert head.headers["Content-Length"] == str(len(get.body))


def test_head_of_a_problem_has_no_body(server: RunningServer) -> None:
    assert server.ask("HEAD", "/prediction").body == b""
    assert server.ask("HEAD", "/prediction").status == 405
    assert server.ask("HEAD", "/nothing").status == 404


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/nothing",
        "/prediction/",
        "/Prediction",
        "//prediction",
        "/prediction%00",
        "/docs/assets/../application.py",
        "/docs/assets/%2e%2e/application.py",
        "/docs/assets/..%2fapplication.py",
        "/docs/assets/",
        "/redoc",
        "/docs/oauth2-redirect",
        "/%ff",
    ],
)
def test_what_is_not_there_is_404(server: RunningServer, path: str) -> None:
    check_problem(server.get(path), 404, "not_found")


def test_a_query_on_the_scoring_route_changes_nothing(server: RunningServer) -> None:
    assert server.ask("POST", "/prediction?x=1", BODY, JSON_TYPE).status == 200


@pytest.mark.parametrize(
    ("request_id", "is_echoed"),
    [
        ("abc-1.2_X", True),
        ("x" * 128, True),
        ("x" * 129, False),
        ("a b", False),
        ("a\u00e9", False),
        ("a;b", False),
        ("<script>", False),
    ],
)
@pytest.mark.parametrize("path", ["/heartbeat", "/nothing"])
def test_a_plain_request_id_is_echoed_and_another_replaced(
    server: RunningServer, path: str, request_id: str, *, is_echoed: bool
) -> None:
    answered = server.get(path, {"X-Request-Id": request_id}).headers["X-Request-Id"]
    assert (answered == request_id) is is_echoed
    assert answered


def test_no_two_answers_share_an_id(server: RunningServer) -> None:
    answers = [server.get("/heartbeat"), server.get("/nothing"), server.predict(BODY), server.predict(b"")]
    assert len({answer.headers["X-Request-Id"] for answer in answers}) == len(answers)
