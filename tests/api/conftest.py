"""The servers that tests of this folder share, and a silence that begins with the first of them."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.api.review_server import Review
from tests.api.running_server import (
    JSON_TYPE,
    REPORT,
    Answer,
    RunningServer,
    read_answer,
    running_server,
    write_head,
)
from tests.packages import write_small_package
from tests.postgres_server import WHEEL_18, run_server

IDLE_SECONDS = 65.0


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


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def review(request: pytest.FixtureRequest, package: Path) -> Iterator[Review]:
    """The queue of a server, on each kind of database."""
    with ExitStack() as stack:
        settings = {}
        if request.param == "postgresql":
            postgres = stack.enter_context(run_server(WHEEL_18))
            settings["database_url"] = postgres.create_database("review")
        yield Review(stack.enter_context(running_server("--model", str(package), **settings)))


@pytest.fixture(scope="session")
def answer_after_silence(server: RunningServer) -> Iterator[Future[Answer]]:
    """What a connection gets that is answered once and then left alone; other tests run meanwhile."""
    with ThreadPoolExecutor(1) as silence:
        yield silence.submit(ask_after_silence, server)


@pytest.fixture(scope="session", autouse=True)
def _start_the_silence(request: pytest.FixtureRequest) -> None:
    if any("answer_after_silence" in getattr(item, "fixturenames", ()) for item in request.session.items):
        request.getfixturevalue("answer_after_silence")


def ask_after_silence(server: RunningServer) -> Answer:
    with server.connect() as connection:
        connection.sendall(write_head("GET", "/heartbeat", {"Host": server.host}))
        assert read_answer(connection, "GET").status == 200
        time.sleep(IDLE_SECONDS)
        body = json.dumps([REPORT]).encode()
        head = {"Host": server.host, **JSON_TYPE, "Content-Length": str(len(body))}
        connection.sendall(write_head("POST", "/prediction", head) + body)
        return read_answer(connection)
