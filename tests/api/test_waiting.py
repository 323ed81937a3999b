"""The minute of silence: it began with the first test; this file comes last, so little of it is left."""

import json
import socket
import time

import pytest

from tests.api.running_server import JSON_TYPE, REPORT, RunningServer, read_answer, write_head

BODY = json.dumps([REPORT]).encode()
IDLE_SECONDS = 65.0


@pytest.mark.timeout(180)
def test_an_idle_connection_outlives_the_balancers_sixty_seconds(
    server: RunningServer, silent_since: tuple[socket.socket, float]
) -> None:
    """CASES G01."""
    connection, since = silent_since
    time.sleep(max(0.0, since + IDLE_SECONDS - time.monotonic()))
    head = {"Host": server.host, **JSON_TYPE, "Content-Length": str(len(BODY))}
    connection.sendall(write_head("POST", "/prediction", head) + BODY)
    assert read_answer(connection).status == 200
