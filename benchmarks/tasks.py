"""Durable tasks: accepted, scored and readable per second, and how long a 202 waits for its scores."""

import statistics
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load import LoadGenerator, build_request
from benchmarks.models import DEPTH, TREES, make_served_model
from benchmarks.processes import FLAGRANK, Server, free_port, running
from benchmarks.rows import request_bodies
from benchmarks.tables import Figure, print_figures, print_rows, progress, show
from benchmarks.task_client import CONNECTIONS, Throughput, paced_load, submit_and_drain, time_tasks
from benchmarks.task_databases import TaskDatabase, measure_disk, new_postgresql, new_sqlite
from benchmarks.task_store import GROUP, opened_store, pass_tasks

ROUNDS = 3
ROUND_SECONDS = 3.0
WARM_SECONDS = 1.0
PROBES = 200
PAUSE_SECONDS = 0.01
DIFFERENT_BODIES = {1: 2_000, 1_000: 20}
AIM_SECONDS = 0.020
HOW = (
    f"{CONNECTIONS} connections in a closed loop for {ROUND_SECONDS:g} s, then until all tasks have scores; "
    f"medians of {ROUNDS} rounds; {TREES} trees of depth {DEPTH}; `flagrank serve` with its own worker. "
    "Server, database and load share two processors."
)


@dataclass(frozen=True, slots=True)
class Measured:
    """All that was measured on one database; latencies are in seconds, in the order measured."""

    database: TaskDatabase
    answered_at_once: float  # one report, POST /prediction, requests/s
    one: Throughput
    thousand: Throughput
    idle: list[float]
    loaded: list[float]
    load: float  # beside the loaded ones, tasks/s
    grouped: float  # over the ports alone, tasks/s
    alone: float  # the same, each task in commits of its own


def main() -> None:
    """Measure both databases and print what was found."""
    package = make_served_model().package
    disk = measure_disk()
    for make_database in (new_postgresql, new_sqlite):
        with make_database() as database:
            progress.print(f"tasks on {database.name} ...")
            measured = measure(database, package)
        note = f"{HOW} {database.settings}; an appended page takes {1000 * disk:.2f} ms to reach this disk."
        _print(measured, note)


def serve(database: TaskDatabase, package: Path) -> AbstractContextManager[Server]:
    """A server with its own worker on this database."""
    port = free_port()
    command = [FLAGRANK, "serve", "--model", str(package), "--port", str(port)]
    return running(command, port, "/readyz", environment=database.environment)


def measure(database: TaskDatabase, package: Path) -> Measured:
    """Run all of it on one database."""
    bodies = {reports: request_bodies(reports, many) for reports, many in DIFFERENT_BODIES.items()}
    with opened_store(database.url) as store:
        grouped = pass_tasks(store, bodies[1][0], group=GROUP, seconds=ROUND_SECONDS)
        alone = pass_tasks(store, bodies[1][0], group=1, seconds=ROUND_SECONDS)
    with serve(database, package) as server:
        submit_and_drain(server.port, bodies[1], WARM_SECONDS)
        idle = time_tasks(server.port, bodies[1], PROBES, PAUSE_SECONDS)
        answered = _answer_at_once(server, bodies[1])
        one = measure_median(server.port, bodies[1])
        thousand = measure_median(server.port, bodies[1_000])
        with paced_load(server.port, one.per_second / 2) as pace:
            loaded = time_tasks(server.port, bodies[1], PROBES, PAUSE_SECONDS)
    return Measured(database, answered, one, thousand, idle, loaded, pace.reached, grouped, alone)


def percentile(seconds: Sequence[float], percent: int) -> float:
    """That percentile, 1 .. 99."""
    return statistics.quantiles(seconds, n=100, method="inclusive")[percent - 1]


def measure_median(port: int, bodies: Sequence[bytes]) -> Throughput:
    """The median of some rounds on our own server."""
    rounds = [submit_and_drain(port, bodies, ROUND_SECONDS) for _ in range(ROUNDS)]
    rates = ", ".join(f"{one.per_second:,.0f}" for one in rounds)
    progress.print(f"  tasks/s in each round: {rates}")
    return sorted(rounds, key=lambda one: one.per_second)[ROUNDS // 2]


def _answer_at_once(server: Server, bodies: Sequence[bytes]) -> float:
    requests = [build_request("/prediction", body, server.port) for body in bodies]
    load = LoadGenerator(server.port, requests, CONNECTIONS)
    load.start()
    measured = load.run(ROUND_SECONDS, server.read_cpu)
    load.finish()
    return measured.requests_per_second


def _print(measured: Measured, note: str) -> None:
    title = f"Tasks on {measured.database.name}"
    one, thousand = measured.one, measured.thousand
    rows = [
        ("one report a task", show(one.per_second), show(one.accepted_per_second), show(one.per_second)),
        (
            "1,000 reports a task",
            show(thousand.per_second),
            show(thousand.accepted_per_second),
            show(1_000 * thousand.per_second),
        ),
        (f"storage ports alone, groups of {GROUP}", show(measured.grouped), "", ""),
        ("storage ports alone, one task a commit", show(measured.alone), "", ""),
    ]
    print_rows(title, ("", "tasks/s", "202s/s", "reports/s"), rows, note)
    print_figures(f"{title}: ratios and waiting", _list_figures(measured))


def _list_figures(measured: Measured) -> list[Figure]:
    return [
        Figure(
            "one-report tasks/s, served / one task a commit",
            measured.one.per_second / measured.alone,
            how="what grouping commits brings, HTTP and model included on one side only",
        ),
        Figure(
            "one-report tasks/s, served / storage ports alone",
            measured.one.per_second / measured.grouped,
            how="what HTTP, decoding and the model take from the database's own speed",
        ),
        Figure(
            "one report, POST /predict and its scores / POST /prediction",
            measured.one.per_second / measured.answered_at_once,
            how=f"POST /prediction answered {show(measured.answered_at_once)} a second on the same server",
        ),
        _wait("idle", measured.idle, 50, target=AIM_SECONDS),
        _wait("idle", measured.idle, 99),
        _wait(f"beside {show(measured.load)} tasks/s", measured.loaded, 50),
        _wait(f"beside {show(measured.load)} tasks/s", measured.loaded, 99),
    ]


def _wait(when: str, seconds: Sequence[float], percent: int, target: float | None = None) -> Figure:
    return Figure(
        f"from the 202 to the scores, {when}, p{percent}",
        1000 * percentile(seconds, percent),
        "ms",
        1000 * target if target else None,
        how=f"{len(seconds)} tasks, each awaited with GET /task/<id>?wait=60" if percent == 50 else "",
    )
