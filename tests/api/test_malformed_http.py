"""What breaks the rules of HTTP/1.1, or bends them."""

import json
from collections.abc import Iterator

import pytest

from tests.api.problem_checks import check_problem
from tests.api.running_server import JSON_TYPE, REPORT, RunningServer, write_head

BODY = json.dumps([REPORT]).encode()
MEBIBYTE = 2**20


def _malformed_requests() -> Iterator[tuple[str, bytes]]:
    start = b"POST /prediction HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    yield "no HTTP", b"hello\r\n\r\n"
    yield "another version", b"GET /heartbeat HTTP/3.7\r\nHost: 127.0.0.1\r\n\r\n"
    yield "TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
    yield "a space in the target", b"GET /heart beat HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    yield "a target without a path", b"GET heartbeat HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    yield "a length in words", start + b"Content-Length: ten\r\n\r\n"
    yield "a negative length", start + b"Content-Length: -1\r\n\r\n"
    yield "a signed length", start + b"Content-Length: +2\r\n\r\n[]"
    yield "an endless length", start + b"Content-Length: " + b"9" * 30 + b"\r\n\r\n"
    yield "two lengths", start + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n[] "
    yield "a list of lengths", start + b"Content-Length: 2, 2\r\n\r\n[]"
    yield "a length and chunks", start + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    yield "a chunk size in words", start + b"Transfer-Encoding: chunked\r\n\r\nten\r\n"
    yield "an endless chunk size", start + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 40 + b"\r\n"
    yield "a chunk longer than its size", start + b"Transfer-Encoding: chunked\r\n\r\n1\r\n[][]\r\n"
    yield "a header without a colon", b"GET /heartbeat HTTP/1.1\r\nHost\r\n\r\n"
    yield "a space before the colon", b"GET /heartbeat HTTP/1.1\r\nHost : 127.0.0.1\r\n\r\n"
    yield "NUL in a header", b"GET /heartbeat HTTP/1.1\r\nHost: 127.0.0.1\r\nX: a\0b\r\n\r\n"


@pytest.mark.parametrize("malformed", [pytest.param(text, id=name) for name, text in _malformed_requests()])
def test_what_is_no_http_is_a_problem_too(server: RunningServer, malformed: bytes) -> None:
    answer = server.send(malformed)
    check_problem(answer, 400, "malformed_request")
    assert answer.headers["Connection"] == "close"


def test_http_1_1_needs_a_host(server: RunningServer) -> None:
    check_problem(server.send(b"GET /heartbeat HTTP/1.1\r\n\r\n", "GET"), 400, "no_host")
    assert server.send(b"GET /heartbeat HTTP/1.0\r\n\r\n", "GET").status == 200


@pytest.mark.parametrize(
    "repeated", ["Host: 127.0.0.1", "Content-Type: text/plain", "Content-Encoding: gzip", "Origin: null"]
)
def test_a_header_that_says_two_things_is_400(server: RunningServer, repeated: str) -> None:
    fields = (
        f"Host: {server.host}\r\nContent-Type: application/json\r\nContent-Encoding: identity\r\n"
        f"Origin: http://{server.host}\r\n{repeated}\r\nContent-Length: {len(BODY)}\r\n\r\n"
    )
    answer = server.send(f"POST /prediction HTTP/1.1\r\n{fields}".encode() + BODY)
    problem = check_problem(answer, 400, "repeated_header")
    assert repeated.partition(":")[0] in problem["detail"]


def test_harmless_headers_may_repeat(server: RunningServer) -> None:
    fields = f"Host: {server.host}\r\nAccept: text/html\r\nAccept: application/json\r\n\r\n"
    assert server.send(f"GET /heartbeat HTTP/1.1\r\n{fields}".encode(), "GET").status == 200


@pytest.mark.parametrize(
    "huge",
    [
        b"GET /heartbeat HTTP/1.1\r\nX: " + b"x" * MEBIBYTE,
        b"GET /" + b"x" * MEBIBYTE,
        b"GET /heartbeat HTTP/1.1\r\n" + b"A: b\r\n" * 200_000,
        b"POST /prediction HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n"
        b"Content-Type: application/json\r\n\r\n0\r\n" + b"A: b\r\n" * 200_000,
    ],
    ids=["one header", "the address", "many headers", "many trailers"],
)
def test_a_huge_head_is_431(server: RunningServer, huge: bytes) -> None:
    before = server.read_memory()
    check_problem(server.send(huge), 431, "head_too_large")
    assert server.read_memory() - before < 16 * MEBIBYTE


def test_a_large_head_within_the_limit_is_served(server: RunningServer) -> None:
    assert server.get("/heartbeat", {"Cookie": "x" * 60_000}).status == 200


def test_an_absolute_target_is_served_by_its_path(server: RunningServer) -> None:
    head = {"Host": server.host, **JSON_TYPE, "Content-Length": str(len(BODY))}
    assert server.send(write_head("POST", f"{server.url}/prediction", head) + BODY).status == 200
    foreign = write_head("POST", f"{server.url}/prediction", head | {"Host": "evil.example"})
    check_problem(server.send(foreign + BODY), 403, "foreign_host")


@pytest.mark.parametrize("request_line", ["OPTIONS * HTTP/1.1", "CONNECT 127.0.0.1:80 HTTP/1.1"])
def test_targets_that_are_no_address_are_refused(server: RunningServer, request_line: str) -> None:
    answer = server.send(
        f"{request_line}\r\nHost: {server.host}\r\n\r\n".encode(), request_line.partition(" ")[0]
    )
    assert answer.status in {400, 404, 405}
    assert answer.headers["X-Request-Id"]


def test_an_upgrade_that_is_not_offered_is_passed_over(server: RunningServer) -> None:
    upgrade = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABk"}
    assert server.ask("POST", "/prediction", BODY, {**JSON_TYPE, **upgrade}).status == 200
