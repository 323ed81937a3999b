"""The servers that tests of this folder share, and a silence that begins with the first of them."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.running_server import RunningServer, read_answer, running_server, write_head
from tests.packages import write_small_package


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the default schema."""
    directory = tmp_path_factory.mktemp("model") / "package"
    write_small_package(directory)
    return directory


@pytest.fixture(scope="session")
def server(package: Path) -> Iterator[RunningServer]:
    """A server with default settings."""
    with running_server("--model", str(package)) as running:
        yield running


@pytest.fixture(scope="session")
def idle_server(package: Path) -> Iterator[RunningServer]:
    """A server without a worker: its tasks stay as they are."""
    with running_server("--model", str(package), "--no-worker") as running:
        yield running


@pytest.fixture(scope="session")
def strict_server(package: Path) -> Iterator[RunningServer]:
    """A server that loses its patience within a second and takes small bodies only."""
    limits = {"body_limit_bytes": 2_048, "body_timeout_seconds": 0.5, "idle_timeout_seconds": 1}
    with running_server("--model", str(package), **limits) as running:
        yield running


@pytest.fixture(scope="session")
def silent_since(server: RunningServer) -> Iterator[tuple[socket.socket, float]]:
    """A connection that has been answered once and then left alone, and since when."""
    with server.connect() as connection:
        connection.sendall(write_head("GET", "/heartbeat", {"Host": server.host}))
        assert read_answer(connection, "GET").status == 200
        yield connection, time.monotonic()


@pytest.fixture(scope="session", autouse=True)
def _start_the_silence(request: pytest.FixtureRequest) -> None:
    if any("silent_since" in getattr(item, "fixturenames", ()) for item in request.session.items):
        request.getfixturevalue("silent_since")
