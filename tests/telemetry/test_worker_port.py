"""A worker by itself shows its own metrics, where it is given a port."""

import os
import socket
import subprocess
import time
from http.client import HTTPConnection
from pathlib import Path

from flagrank.settings import DEMO_MODEL
from tests.api.running_server import FLAGRANK, PATIENCE_SECONDS, REPORT, running_server


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def scrape(port: int) -> str:
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    connection.request("GET", "/metrics")
    body = connection.getresponse().read().decode()
    connection.close()
    return body


def test_a_worker_shows_what_it_has_done_and_the_drift_of_what_it_has_scored(tmp_path: Path) -> None:
    port = find_free_port()
    settings = {"FLAGRANK_DATA_DIR": str(tmp_path), "FLAGRANK_WORKER_METRICS_PORT": str(port)}
    with running_server("--model", str(DEMO_MODEL), "--no-worker", data_dir=tmp_path) as server:
        worker = subprocess.Popen([FLAGRANK, "worker"], env={**os.environ, **settings})
        try:
            location = server.submit([REPORT] * 150).headers["Location"]
            assert server.get(f"{location}?wait=30").document["status"] == "succeeded"
            give_up_at = time.monotonic() + PATIENCE_SECONDS
            while 'flagrank_drift_reports{window="1h"} 150.0' not in (shown := scrape(port)):
                assert time.monotonic() < give_up_at, shown
                time.sleep(0.2)
            assert 'flagrank_tasks_finished_total{status="succeeded"} 1.0' in shown
            assert 'flagrank_tasks{status="succeeded"} 1.0' in shown
            assert "flagrank_store_up 1.0" in shown
            assert "flagrank_ready 1.0" in shown
            assert 'flagrank_drift_psi{feature="popularity",window="24h"}' in shown
            assert 'flagrank_drift_reports{window="1h"} 0.0' in server.get("/metrics").body.decode()
            worker.terminate()
            assert worker.wait(PATIENCE_SECONDS) == 0
        finally:
            worker.kill()
            worker.wait()


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = {"FLAGRANK_DATA_DIR": str(tmp_path), "FLAGRANK_WORKER_METRICS_PORT": str(port)}
        ended = subprocess.run(
            [FLAGRANK, "worker", "--json"],
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
    assert ended.returncode == 1
    assert f"FLAGRANK_WORKER_METRICS_PORT={port} can't be listened on at 127.0.0.1" in ended.stderr
    assert "Traceback" not in ended.stderr
