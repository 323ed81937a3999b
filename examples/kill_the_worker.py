"""Submit 1,000 tasks, kill -9 the worker twice meanwhile, and watch all of them succeed.

    .venv/bin/python examples/kill_the_worker.py                          # an SQLite file in a new folder
    .venv/bin/python examples/kill_the_worker.py postgresql://USER:PASSWORD@HOST/NAME    # an empty database
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

FLAGRANK = Path(sys.executable).with_name("flagrank")
REPORT = {"abuse_type": "MSG", "report_text_len": 120, "profile_rating": None, "popularity": 2.5}
TASKS = 1_000
KILLED_AT = (300, 600)  # tasks submitted


def submit(url: str) -> str:
    """Submit one report; the 202 that comes back means that it is on disk."""
    request = urllib.request.Request(
        f"{url}/predict?enqueue=false",
        data=json.dumps([REPORT]).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 202
        return json.load(answer)["task_id"]


def read(url: str) -> dict:
    """What the server answers."""
    with urllib.request.urlopen(url) as answer:
        return json.load(answer)


def start_server(environment: dict[str, str]) -> tuple[subprocess.Popen, str]:
    """A server without a worker, with the bundled model, on a free port; and its address."""
    command = [FLAGRANK, "serve", "--model", "demo", "--no-worker", "--port", "0", "--json"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
    announced = json.loads(b"".join(iter(process.stdout.readline, b"}\n")) + b"}")
    return process, announced["url"]


def start_worker(environment: dict[str, str]) -> subprocess.Popen:
    """A worker, as any number may run on any machine that reaches the database."""
    return subprocess.Popen([FLAGRANK, "worker"], env=environment, stderr=subprocess.DEVNULL)


def wait_for_work(url: str, n_tasks: int) -> None:
    """Wait until the worker is in the midst of it: so many tasks have succeeded."""
    while read(f"{url}/task?limit=1")["counts"]["succeeded"] < n_tasks:
        time.sleep(0.005)


def main() -> None:
    """Run the whole story."""
    folder = tempfile.mkdtemp(prefix="flagrank-example-")
    environment = {**os.environ, "FLAGRANK_DATA_DIR": folder}
    if len(sys.argv) > 1:
        environment["FLAGRANK_DATABASE_URL"] = sys.argv[1]
    server, url = start_server(environment)
    worker = start_worker(environment)
    try:
        task_ids = []
        while len(task_ids) < TASKS:
            task_ids.append(submit(url))
            if len(task_ids) in KILLED_AT:
                wait_for_work(url, len(task_ids) // 2)
                worker.kill()  # SIGKILL: it can't tidy up
                worker.wait()
                print(f"{len(task_ids):>5} submitted; worker {worker.pid} was killed with -9, another starts")
                worker = start_worker(environment)
        print(f"{TASKS:>5} submitted, {len(set(task_ids))} different ids")
        while True:
            counts = read(f"{url}/task?limit=1")["counts"]
            print("      " + ", ".join(f"{n} {status}" for status, n in counts.items() if n))
            if not counts["scheduled"] + counts["queued"] + counts["running"]:
                break
            time.sleep(1)
        statuses = {read(f"{url}/task/{task_id}")["status"] for task_id in task_ids}
        print(f"Every task that was answered with 202 is now: {', '.join(statuses)}.")
    finally:
        for process in (worker, server):
            process.terminate()
            process.wait()
    sys.exit(statuses != {"succeeded"})


if __name__ == "__main__":
    main()
