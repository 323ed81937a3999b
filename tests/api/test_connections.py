"""Several requests on one connection, and clients that go away half-way: each neighbour is served."""

import json
import socket
import struct
import time
from collections.abc import Sequence

from tests.api.problem_checks import check_problem
from tests.api.running_server import JSON_TYPE, REPORT, RunningServer, read_answer, read_answers, write_head

BODY = json.dumps([REPORT]).encode()


def _write_prediction(server: RunningServer, body: bytes, **headers: str) -> bytes:
    fields = {"Host": server.host, **JSON_TYPE, "Content-Length": str(len(body)), **headers}
    return write_head("POST", "/prediction", fields) + body


def _bodies(count: int) -> list[bytes]:
    return [json.dumps([REPORT | {"report_text_len": length}]).encode() for length in range(count)]


def _ask_one_by_one(server: RunningServer, bodies: Sequence[bytes]) -> list[float]:
    return [server.predict(body).document["scores"][0] for body in bodies]


def test_pipelined_requests_are_answered_in_order(server: RunningServer) -> None:
    bodies = _bodies(20)
    requests = [_write_prediction(server, body) for body in bodies]
    requests[7] = _write_prediction(server, b"[{}]")
    requests[11] = write_head("GET", "/nothing", {"Host": server.host})
    requests.append(write_head("GET", "/heartbeat", {"Host": server.host, "Connection": "close"}))
    with server.connect() as connection:
        connection.sendall(b"".join(requests))
        answers = read_answers(connection)
    check_problem(answers.pop(11), 404, "not_found")
    check_problem(answers.pop(7), 422, "invalid_reports")
    assert answers.pop().document == {"message": "Service Ok"}
    expected = _ask_one_by_one(server, [body for i, body in enumerate(bodies) if i not in {7, 11}])
    assert [answer.document["scores"][0] for answer in answers] == expected


def test_a_request_in_pieces_is_one_request(server: RunningServer) -> None:
    request = _write_prediction(server, BODY)
    with server.connect() as connection:
        for position in range(0, len(request), 17):
            connection.sendall(request[position : position + 17])
            time.sleep(0.002)
        assert read_answer(connection).status == 200


def test_an_answer_comes_in_one_piece(server: RunningServer) -> None:
    with server.connect() as connection:
        for _ in range(20):
            connection.sendall(_write_prediction(server, BODY))
            head, _, body = connection.recv(65_536).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200")
            assert body.endswith(b"}")


def test_garbage_behind_a_request_does_not_take_its_answer(server: RunningServer) -> None:
    with server.connect() as connection:
        connection.sendall(_write_prediction(server, BODY) + b"garbage\r\n\r\n")
        answers = read_answers(connection)
    assert answers[0].status == 200
    assert all(answer.status == 400 for answer in answers[1:])


def test_a_refused_request_leaves_the_connection_usable(server: RunningServer) -> None:
    with server.connect() as connection:
        for body, status in ((b"[", 400), (b"[{}]", 422), (BODY, 200)):
            connection.sendall(_write_prediction(server, body))
            assert read_answer(connection).status == status


def test_a_client_that_hangs_up_in_the_middle_of_its_body_harms_nobody(server: RunningServer) -> None:
    request = _write_prediction(server, BODY)
    for length in range(1, len(request), 11):
        with server.connect() as leaving, server.connect() as neighbour:
            leaving.sendall(request[:length])
            neighbour.sendall(request)
            _reset(leaving)
            assert read_answer(neighbour).status == 200


def test_clients_that_hang_up_in_the_middle_of_a_shared_call_harm_nobody(server: RunningServer) -> None:
    bodies = _bodies(32)
    expected = _ask_one_by_one(server, bodies)
    for _ in range(20):
        connections = [server.connect() for _ in bodies]
        for connection, body in zip(connections, bodies, strict=True):
            connection.sendall(_write_prediction(server, body))
        for connection in connections[1::2]:
            _reset(connection)
        scores = [read_answer(connection).document["scores"][0] for connection in connections[::2]]
        for connection in connections:
            connection.close()
        assert scores == expected[::2]
    assert server.get("/readyz").status == 200


def test_clients_that_hang_up_while_10_000_reports_are_scored_harm_nobody(server: RunningServer) -> None:
    request = _write_prediction(server, json.dumps([REPORT] * 10_000).encode())
    for _ in range(3):
        with server.connect() as leaving:
            leaving.sendall(request)
            _reset(leaving)
        assert server.predict(BODY).status == 200


def _reset(connection: socket.socket) -> None:
    """Hang up at once, by a reset, as a client does that is killed."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def test_a_connection_closes_after_its_idle_timeout(strict_server: RunningServer) -> None:
    with strict_server.connect() as connection:
        connection.sendall(write_head("GET", "/heartbeat", {"Host": strict_server.host}))
        assert read_answer(connection, "GET").status == 200
        answered = time.monotonic()
        assert connection.recv(1) == b""
        assert 0.5 < time.monotonic() - answered < 5
