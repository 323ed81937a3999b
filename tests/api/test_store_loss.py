"""A database that goes away and comes back while the server runs."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.api.problem_checks import check_problem
from tests.api.running_server import REPORT, Answer, running_server
from tests.postgres_server import WHEEL_18, PostgresServer, run_server

PATIENCE_SECONDS = 30.0


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with run_server(WHEEL_18) as running:
        yield running


def ask_until(ask: Callable[[], Answer], status: int) -> Answer:
    """The first answer with this status."""
    end = time.monotonic() + PATIENCE_SECONDS
    while (answer := ask()).status != status:
        assert time.monotonic() < end, answer.body
        time.sleep(0.1)
    return answer


def test_a_lost_database_is_told_and_service_returns_with_it(postgres: PostgresServer, package: Path) -> None:
    url = postgres.create_database("lost")
    with running_server("--model", str(package), database_url=url) as server:
        kept = server.submit([REPORT]).headers["Location"]
        assert server.get(f"{kept}?wait=30").document["status"] == "succeeded"
        postgres.kill()
        check_problem(ask_until(lambda: server.get("/readyz"), 503), 503, "not_ready")
        refused = server.submit([REPORT])
        check_problem(refused, 503, "store_unavailable")
        assert int(refused.headers["Retry-After"]) > 0
        check_problem(server.get(kept), 503, "store_unavailable")
        assert server.predict([REPORT]).status == 200  # needs no database
        assert server.get("/heartbeat").status == 200
        postgres.start()
        ask_until(lambda: server.get("/readyz"), 200)
        assert server.get(kept).document["status"] == "succeeded"
        location = ask_until(lambda: server.submit([REPORT]), 202).headers["Location"]
        assert server.get(f"{location}?wait=30").document["status"] == "succeeded"
