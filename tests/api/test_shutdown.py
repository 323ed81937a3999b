"""What happens at SIGTERM (CASES G02): readyz turns 503, the listener closes, the process ends."""

import json
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.problem_checks import check_problem
from tests.api.running_server import JSON_TYPE, REPORT, RunningServer, read_answer, running_server, write_head

BODY = json.dumps([REPORT]).encode()
DRAIN_SECONDS = 3.5
LOAD_SECONDS = 3.0
REQUESTS_PER_SECOND = 200


@pytest.fixture
def own_server(package: Path) -> Iterator[RunningServer]:
    """A server that a test may stop: no drain, as on loopback by default."""
    with running_server("--model", str(package)) as server:
        yield server


def test_while_it_drains_every_new_connection_is_answered(package: Path) -> None:
    with running_server("--model", str(package), drain_seconds=DRAIN_SECONDS) as server:
        server.signal()
        stopped = time.monotonic()
        _wait_until_not_ready(server)
        answers = []
        for number in range(int(LOAD_SECONDS * REQUESTS_PER_SECOND)):
            time.sleep(max(0.0, stopped + number / REQUESTS_PER_SECOND - time.monotonic()))
            answer = server.ask("POST", "/prediction", BODY, {**JSON_TYPE, "Connection": ""})
            answers.append((answer.status, answer.headers["Connection"]))
        assert set(answers) == {(200, "close")}
        assert server.wait() == 0
        assert time.monotonic() - stopped >= DRAIN_SECONDS
        with pytest.raises(ConnectionRefusedError):
            server.connect()


def _wait_until_not_ready(server: RunningServer) -> None:
    deadline = time.monotonic() + 2
    while (answer := server.get("/readyz")).status == 200:
        assert time.monotonic() < deadline
    problem = check_problem(answer, 503, "not_ready")
    assert "shutting down" in problem["detail"]
    assert server.get("/livez").status == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_on_loopback_it_stops_at_once(own_server: RunningServer, number: int) -> None:
    own_server.signal(number)
    started = time.monotonic()
    assert own_server.wait() == 0
    assert time.monotonic() - started < 3


def test_what_is_in_flight_is_answered(own_server: RunningServer) -> None:
    head = write_head(
        "POST", "/prediction", {"Host": own_server.host, **JSON_TYPE, "Content-Length": str(len(BODY))}
    )
    with own_server.connect() as connection:
        connection.sendall(head + BODY[:10])
        own_server.get("/heartbeat")  # by now the server has seen the head
        own_server.signal()
        time.sleep(0.5)
        with pytest.raises(ConnectionRefusedError):
            own_server.connect()
        connection.sendall(BODY[10:])
        answer = read_answer(connection)
        assert (answer.status, answer.headers["Connection"]) == (200, "close")
        assert own_server.wait() == 0


def test_a_large_request_in_flight_is_answered(own_server: RunningServer) -> None:
    body = json.dumps([REPORT] * 10_000).encode()
    statuses = []
    asking = threading.Thread(target=lambda: statuses.append(own_server.predict(body).status))
    asking.start()
    time.sleep(0.05)
    own_server.signal()
    asking.join()
    assert statuses == [200]
    assert own_server.wait() == 0


def test_a_second_sigint_does_not_wait_for_what_is_in_flight(own_server: RunningServer) -> None:
    head = write_head("POST", "/prediction", {"Host": own_server.host, **JSON_TYPE, "Content-Length": "100"})
    with own_server.connect() as connection:
        connection.sendall(head)
        own_server.get("/heartbeat")
        own_server.signal(signal.SIGINT)
        time.sleep(0.5)
        assert own_server.process.poll() is None
        own_server.signal(signal.SIGINT)
        started = time.monotonic()
        assert own_server.wait() == 0
        assert time.monotonic() - started < 3


def test_a_second_sigterm_still_lets_what_is_in_flight_be_answered(own_server: RunningServer) -> None:
    fields = {"Host": own_server.host, **JSON_TYPE, "Content-Length": str(len(BODY))}
    with own_server.connect() as connection:
        connection.sendall(write_head("POST", "/prediction", fields))
        own_server.get("/heartbeat")
        own_server.signal()
        own_server.signal()
        time.sleep(0.5)
        connection.sendall(BODY)
        assert read_answer(connection).status == 200
    assert own_server.wait() == 0


def test_an_idle_connection_does_not_hold_the_process(own_server: RunningServer) -> None:
    with own_server.connect() as connection:
        connection.sendall(write_head("GET", "/heartbeat", {"Host": own_server.host}))
        assert read_answer(connection, "GET").status == 200
        own_server.signal()
        assert connection.recv(1) == b""
        assert own_server.wait() == 0
