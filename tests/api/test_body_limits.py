"""How large a request may be and how long it may take."""

import json
import socket
import time

import pytest

from tests.api.problem_checks import check_problem
from tests.api.running_server import JSON_TYPE, REPORT, RunningServer, read_answer, write_head

BODY = json.dumps([REPORT]).encode()
MEBIBYTE = 2**20


def test_a_body_over_the_limit_is_413_also_for_a_client_that_first_sends_all(server: RunningServer) -> None:
    size = 33 * MEBIBYTE
    head = write_head("POST", "/prediction", {"Host": server.host, **JSON_TYPE, "Content-Length": str(size)})
    before = server.read_memory()
    with server.connect() as connection:
        connection.sendall(head + b" " * size)
        check_problem(read_answer(connection), 413, "body_too_large")
        connection.sendall(write_head("GET", "/heartbeat", {"Host": server.host}))
        assert read_answer(connection, "GET").status == 200
    assert server.read_memory() - before < 16 * MEBIBYTE


def test_a_client_that_expects_100_continue_is_refused_before_it_sends(server: RunningServer) -> None:
    headers = {"Host": server.host, **JSON_TYPE, "Content-Length": str(2**40), "Expect": "100-continue"}
    started = time.monotonic()
    check_problem(server.send(write_head("POST", "/prediction", headers)), 413, "body_too_large")
    assert time.monotonic() - started < 1.5


def test_a_client_that_expects_100_continue_gets_it(server: RunningServer) -> None:
    headers = {
        "Host": server.host,
        **JSON_TYPE,
        "Content-Length": str(len(BODY)),
        "Expect": "100-continue",
    }
    with server.connect() as connection:
        connection.sendall(write_head("POST", "/prediction", headers))
        assert connection.recv(1_024) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(BODY)
        assert read_answer(connection).status == 200


def _write_chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def _chunked_head(server: RunningServer) -> bytes:
    return write_head(
        "POST", "/prediction", {"Host": server.host, **JSON_TYPE, "Transfer-Encoding": "chunked"}
    )


def test_a_chunked_body_is_a_body(server: RunningServer) -> None:
    chunks = b"".join(_write_chunk(BODY[i : i + 7]) for i in range(0, len(BODY), 7))
    answer = server.send(_chunked_head(server) + chunks + b"0\r\n\r\n")
    assert answer.document["scores"] == server.predict(BODY).document["scores"]


def test_a_body_of_exactly_the_limit_is_taken(strict_server: RunningServer) -> None:
    assert strict_server.predict(BODY.ljust(2_048)).status == 200
    check_problem(strict_server.predict(BODY.ljust(2_049)), 413, "body_too_large")


def test_an_endless_chunked_body_is_413(strict_server: RunningServer) -> None:
    with strict_server.connect() as connection:
        connection.sendall(_chunked_head(strict_server))
        with pytest.raises(ConnectionError):
            _send_for_ever(connection, _write_chunk(b" " * 1_000))
        check_problem(read_answer(connection), 413, "body_too_large")


def _send_for_ever(connection: socket.socket, piece: bytes, pause_seconds: float = 0.001) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        connection.sendall(piece)
        time.sleep(pause_seconds)


@pytest.mark.parametrize(
    "piece", [b"", b"1\r\n \r\n", b"1"], ids=["silent", "a byte a chunk", "one long size"]
)
def test_a_slow_body_is_408(strict_server: RunningServer, piece: bytes) -> None:
    started = time.monotonic()
    with strict_server.connect() as connection:
        connection.sendall(_chunked_head(strict_server))
        for _ in range(3):
            connection.sendall(piece)
            time.sleep(0.1)
        answer = read_answer(connection)
    check_problem(answer, 408, "request_timeout")
    assert answer.headers["Connection"] == "close"
    assert time.monotonic() - started < 5


def test_a_slow_head_is_408(strict_server: RunningServer) -> None:
    with strict_server.connect() as connection:
        for piece in (b"POST /predict", b"ion HTTP/1.1\r\n", b"Host: local"):
            connection.sendall(piece)
            time.sleep(0.1)
        check_problem(read_answer(connection), 408, "request_timeout")


def test_a_connection_on_which_nothing_comes_is_closed(strict_server: RunningServer) -> None:
    with strict_server.connect() as connection:
        assert connection.recv(1) == b""


def test_a_request_answered_before_its_body_came_is_not_timed_again(strict_server: RunningServer) -> None:
    head = write_head("POST", "/nothing", {"Host": strict_server.host, "Content-Length": "5"})
    with strict_server.connect() as connection:
        connection.sendall(head)
        check_problem(read_answer(connection), 404, "not_found")
        connection.sendall(b"12345")
        time.sleep(0.7)
        connection.sendall(write_head("GET", "/heartbeat", {"Host": strict_server.host}))
        assert read_answer(connection, "GET").status == 200


def test_a_body_that_never_ends_after_its_answer_ends_the_connection(strict_server: RunningServer) -> None:
    head = write_head("POST", "/nothing", {"Host": strict_server.host, "Content-Length": "5"})
    with strict_server.connect() as connection:
        connection.sendall(head)
        check_problem(read_answer(connection), 404, "not_found")
        assert connection.recv(1) == b""
