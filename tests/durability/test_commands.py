"""The real commands: `flagrank serve` and `flagrank worker`, killed while HTTP clients submit."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.api.running_server import FLAGRANK, REPORT, RunningServer, running_server
from tests.durability.audit import check_audit
from tests.durability.patience import count_open, wait_until

STRACE = shutil.which("strace")


@contextmanager
def running_worker(url: str) -> Iterator[subprocess.Popen[bytes]]:
    """A started `flagrank worker`."""
    environment = {**os.environ, "FLAGRANK_DATABASE_URL": url}
    process = subprocess.Popen([FLAGRANK, "worker", "--json"], env=environment, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        assert process.stdout.readline()
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def submit(server: RunningServer) -> str:
    """The id of an accepted task."""
    answer = server.ask(
        "POST", "/predict?enqueue=false", json.dumps([REPORT]).encode(), {"Content-Type": "application/json"}
    )
    assert answer.status == 202
    task_id: str = answer.document["task_id"]
    return task_id


def test_what_was_answered_with_202_is_scored_whoever_is_killed(url: str, deaths: Counter[str]) -> None:
    accepted = []
    for _ in range(2):
        with (
            running_server("--model", "demo", "--no-worker", database_url=url) as server,
            running_worker(url) as worker,
        ):
            accepted += [submit(server) for _ in range(40)]
            worker.kill()
            server.process.kill()
            deaths["commands"] += 2
    with running_server(database_url=url) as server:
        accepted += [submit(server) for _ in range(50)]
        wait_until(lambda: count_open(url) == 0, seconds=60)
        statuses = {server.get(f"/task/{task_id}").document["status"] for task_id in accepted}
    assert statuses == {"succeeded"}
    assert check_audit(url) == len(accepted) == 130


def test_a_worker_command_ends_with_0_at_sigterm(url: str) -> None:
    with running_worker(url) as worker:
        time.sleep(2)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(10) == 0


@pytest.mark.skipif(STRACE is None, reason="strace is not installed")
def test_the_file_is_on_disk_before_202_is_answered(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    with running_server("--model", "demo", "--no-worker", data_dir=str(tmp_path / "data")) as server:
        submit(server)
        command = [
            STRACE or "",
            "-f",
            "-e",
            "trace=fdatasync,fsync,write,sendto,send,writev,sendmsg",
            "-s",
            "64",
        ]
        tracer = subprocess.Popen(
            [*command, "-o", str(trace), "-p", str(server.process.pid)], stderr=subprocess.PIPE
        )
        assert tracer.stderr
        assert b"attached" in tracer.stderr.readline()
        submit(server)
        tracer.send_signal(signal.SIGINT)
        tracer.wait(10)
        tracer.stderr.close()
    lines = trace.read_text().splitlines()
    answered = next(number for number, line in enumerate(lines) if "HTTP/1.1 202" in line)
    synced = [
        number
        for number, line in enumerate(lines)
        if re.search(r"f(data)?sync(\(| resumed).*= 0", line) and number < answered
    ]
    assert synced
