"""A lone worker with a port of its own: what it shows there, and to whom."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.api.problem_checks import check_problem
from tests.api.running_server import (
    FLAGRANK,
    REPORT,
    RunningServer,
    make_environment,
    running_server,
)
from tests.telemetry.scraping import scrape


@contextmanager
def running_worker(folder: Path, **settings: object) -> Iterator[RunningServer]:
    """A worker on the database of this folder, as a server: the same client asks it."""
    process = subprocess.Popen(
        [FLAGRANK, "worker", "--json"],
        stdout=subprocess.PIPE,
        env=make_environment({"data_dir": folder, **settings}),
    )
    assert process.stdout
    try:
        announced = json.loads(b"".join(iter(process.stdout.readline, b"}\n")) + b"}")
        assert announced["role"] == "worker"
        yield RunningServer(process, announced["url"], None)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def run(folder: Path, *arguments: str, **settings: object) -> subprocess.CompletedProcess[str]:
    environment = make_environment({"data_dir": folder, **settings})
    return subprocess.run(
        [FLAGRANK, *arguments], env=environment, capture_output=True, text=True, check=False, timeout=60
    )


def make_key(folder: Path, name: str, scope: str) -> dict[str, str]:
    made = run(folder, "keys", "create", name, "--scope", scope, "--json")
    return {"Authorization": f"Bearer {json.loads(made.stdout)['key']}"}


def test_a_worker_shows_what_it_has_done_itself(tmp_path: Path) -> None:
    with (
        running_server("--model", "demo", "--no-worker", data_dir=tmp_path) as server,
        running_worker(tmp_path, worker_port=0) as worker,
    ):
        for _ in range(20):
            accepted = server.submit([REPORT, REPORT])
        server.get(f"/task/{accepted.document['task_id']}?wait=30")
        shown = scrape(worker)
        assert shown["flagrank_tasks_finished_total", "succeeded"] == 20
        assert shown["flagrank_model_call_reports_sum", ""] == 40
        assert shown["flagrank_claim_tasks_sum", ""] == 20
        assert shown["flagrank_lease_losses_total", ""] == 0
        assert shown["flagrank_database_transaction_seconds_count", "write"] > 0
        assert shown["flagrank_workers", "listening"] == 1
        assert shown["flagrank_ready", ""] == 1
        assert shown["flagrank_model_info", "synthetic-demo 1"] == 1
        assert shown["flagrank_tasks", "succeeded"] <= 20
        assert ("flagrank_tasks_finished_total", "succeeded") not in scrape(server)
        assert worker.get("/livez").status == worker.get("/readyz").status == 200
        worker.signal()
        assert worker.wait() == 0


def test_a_worker_without_a_model_is_not_ready_and_lives(tmp_path: Path) -> None:
    with running_worker(tmp_path, worker_port=0) as worker:
        refused = check_problem(worker.get("/readyz"), 503, "not_ready")
        assert refused["detail"] == "No model is promoted: tasks wait until `flagrank model promote VERSION`."
        assert worker.get("/heartbeat").document == {"message": "Service Ok"}
        assert scrape(worker)["flagrank_ready", ""] == 0


def test_a_worker_answers_nothing_else(tmp_path: Path) -> None:
    with running_worker(tmp_path, worker_port=0) as worker:
        for method, path in (("GET", "/"), ("GET", "/docs"), ("POST", "/predict"), ("POST", "/metrics")):
            check_problem(worker.ask(method, path), 404, "not_found")


def test_hosts_and_keys_are_checked_as_by_the_server(tmp_path: Path) -> None:
    with running_worker(tmp_path, worker_port=0) as worker:
        for path in ("/metrics", "/"):
            check_problem(worker.get(path, {"Host": "evil.example"}), 403, "foreign_host")
        assert worker.get("/readyz", {"Host": "evil.example"}).status == 503
    with_scope, without = make_key(tmp_path, "prometheus", "metrics"), make_key(tmp_path, "client", "score")
    with running_worker(tmp_path, worker_port=0, host="0.0.0.0") as worker:  # noqa: S104 - keys guard it
        check_problem(worker.get("/metrics"), 401, "no_key")
        check_problem(worker.get("/metrics", without), 403, "scope_missing")
        assert worker.get("/metrics", with_scope).status == 200
        assert worker.get("/livez").status == 200


def test_a_port_that_others_reach_needs_a_key(tmp_path: Path) -> None:
    refused = run(tmp_path, "worker", worker_port=0, host="0.0.0.0")  # noqa: S104 - it is refused
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "no key guards this server" in refused.stderr


def test_a_port_that_is_taken_is_one_sentence(tmp_path: Path) -> None:
    with running_worker(tmp_path / "one", worker_port=0) as worker:
        refused = run(tmp_path / "other", "worker", worker_port=worker.address[1])
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith(f"127.0.0.1:{worker.address[1]} can't be listened on: Address already")


def test_without_the_setting_a_worker_has_no_port(tmp_path: Path) -> None:
    with running_worker(tmp_path) as worker:
        assert worker.url is None
