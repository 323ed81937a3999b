"""Clients of durable tasks over HTTP: one that submits all it can, one that waits, one that keeps a pace.

`python -m benchmarks.task_client PORT PER_SECOND` is the last one, as a process of its own.
"""

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks.load import LoadFailed, LoadGenerator, build_request
from benchmarks.processes import PYTHON
from benchmarks.rows import request_bodies

CONNECTIONS = 64
PACED_CONNECTIONS = 16
PACED_BODIES = 500
PATIENCE_SECONDS = 120.0
_LOOK_SECONDS = 0.02
_WARM_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Throughput:
    """Tasks accepted, scored and readable, and the seconds from the first byte to the last score."""

    tasks: int
    seconds: float
    accept_seconds: float

    @property
    def per_second(self) -> float:
        """Tasks a second, from submission to readable scores."""
        return self.tasks / self.seconds

    @property
    def accepted_per_second(self) -> float:
        """Answers 202 a second, while workers score beside."""
        return self.tasks / self.accept_seconds


class TaskClient:
    """One kept connection that submits, looks and waits."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)

    def submit(self, body: bytes) -> str:
        """Submit reports; the task's id."""
        return str(self._ask("POST", "/predict", 202, body)["task_id"])

    def wait(self, task_id: str) -> dict[str, Any]:
        """The task once it is final; raises `LoadFailed` unless it has scores."""
        task = self._ask("GET", f"/task/{task_id}?wait=60", 200)
        if task["status"] != "succeeded" or not task["scores"]:
            raise LoadFailed(f"a task ended otherwise than with scores: {task}")
        return task

    def count_scored(self) -> int:
        """How many tasks have succeeded; raises `LoadFailed` where one has not."""
        counts = self._count()
        if counts["failed"] or counts["cancelled"]:
            raise LoadFailed(f"tasks ended otherwise than with scores: {counts}")
        return counts["succeeded"]

    def count_submitted(self) -> int:
        """How many tasks there are."""
        return sum(self._count().values())

    def _count(self) -> dict[str, int]:
        counts: dict[str, int] = self._ask("GET", "/task?limit=1", 200)["counts"]
        return counts

    def _ask(self, method: str, path: str, status: int, body: bytes | None = None) -> dict[str, Any]:
        headers = {"Content-Type": "application/json"} if body else {}
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status != status:
            raise LoadFailed(f"{method} {path}: {answer.status} {content[:1000]!r}")
        parsed: dict[str, Any] = json.loads(content)
        return parsed


def submit_and_drain(
    port: int, bodies: Sequence[bytes], seconds: float, count: Callable[[], int] | None = None
) -> Throughput:
    """Submit on all connections in a closed loop for so long, then look until all have scores.

    `count` tells how many tasks have scores, where it is not our own server that knows.
    """
    count = count or TaskClient(port).count_scored
    before = count()
    requests = [build_request("/predict", body, port) for body in bodies]
    load = LoadGenerator(port, requests, CONNECTIONS, status=202)
    start = time.perf_counter()
    load.start()
    accepted = load.run(seconds, lambda: 0.0)
    load.finish()
    tasks = accepted.requests + CONNECTIONS  # those in flight at the end are answered, too
    wait_until_scored(count, before + tasks)
    return Throughput(tasks, time.perf_counter() - start, accepted.seconds)


def wait_until_scored(count: Callable[[], int], tasks: int) -> None:
    """Look until exactly so many tasks have scores; raises `LoadFailed` where they don't in time."""
    until = time.monotonic() + PATIENCE_SECONDS
    while (scored := count()) < tasks:
        if time.monotonic() > until:
            raise LoadFailed(f"{scored} tasks of {tasks} have scores after {PATIENCE_SECONDS:g} s")
        time.sleep(_LOOK_SECONDS)
    if scored > tasks:
        raise LoadFailed(f"{tasks} tasks were accepted, {scored} have scores")


def time_tasks(port: int, bodies: Sequence[bytes], tasks: int, pause_seconds: float) -> list[float]:
    """Seconds from the 202 to an answer with scores, of one task after another."""
    client = TaskClient(port)
    seconds = []
    for number in range(tasks):
        task_id = client.submit(bodies[number % len(bodies)])
        accepted = time.perf_counter()
        client.wait(task_id)
        seconds.append(time.perf_counter() - accepted)
        time.sleep(pause_seconds)
    return seconds


@dataclass(slots=True)
class Pace:
    """Tasks a second that were accepted beside what was measured; known once that has ended."""

    reached: float = 0.0


@contextmanager
def paced_load(port: int, per_second: float) -> Iterator[Pace]:
    """Submit one-report tasks at an even pace from another process while the block runs."""
    client, pace = TaskClient(port), Pace()
    with subprocess.Popen([PYTHON, "-m", "benchmarks.task_client", str(port), str(per_second)]) as process:
        time.sleep(_WARM_SECONDS)
        before, start = client.count_submitted(), time.perf_counter()
        yield pace
        pace.reached = (client.count_submitted() - before) / (time.perf_counter() - start)
        process.terminate()


def main(port: int, per_second: float) -> None:
    """Keep the pace until SIGTERM."""
    requests = [build_request("/predict", body, port) for body in request_bodies(1, PACED_BODIES)]
    load = LoadGenerator(port, requests, PACED_CONNECTIONS, status=202)
    load.run_paced(PATIENCE_SECONDS, per_second)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
