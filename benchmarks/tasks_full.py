"""Durable tasks beside task libraries, with ten million finished ones, and with vacuum held up."""

import statistics
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path

from benchmarks.models import DEPTH, TREES, make_served_model
from benchmarks.peers import race
from benchmarks.rows import request_bodies
from benchmarks.tables import Figure, print_figures, print_rows, progress, show
from benchmarks.task_client import Throughput, submit_and_drain
from benchmarks.task_databases import TaskDatabase, measure_disk, new_postgresql, new_sqlite
from benchmarks.task_history import BODY, add_finished
from benchmarks.task_snapshot import compare_claims
from benchmarks.task_store import GROUP, Store, look, opened_store, pass_tasks, time_call
from benchmarks.tasks import serve

OURS, PGQUEUER, DIRECT = "flagrank, POST /predict", "PgQueuer, POST /predict", "PgQueuer, no HTTP"
CELERY_ALWAYS, CELERY_EVERYSEC = "Celery + Redis, fsync always", "Celery + Redis, fsync every second"
ROUNDS = 3
ROUND_SECONDS, CELERY_SECONDS = 3.0, 1.5
DIFFERENT_BODIES = 2_000
FEW, MANY = 10, 10_000_000
HISTORY_ROUNDS = 5
LOOKS = 50
HOW = (
    "One-report tasks, accepted, scored and readable: their number by the time from the first one sent to "
    f"the last score written. Medians of {ROUNDS} rounds, contenders in turn; all share two processors. "
    f"All score with our decoder, columns and session ({TREES} trees of depth {DEPTH}). PgQueuer: one worker "
    "that claims 100 at once, 32 connections, results in a table, logged tables, a route without checks. "
    f"Celery: {race.CELERY_PROCESSES} worker processes, late acknowledgement, results in Redis, no HTTP."
)


def main(*, finished_tasks: int = MANY) -> None:
    """Measure and print all of it."""
    race.make_environment()
    _compare_with_peers(make_served_model().package)
    for make_database in (new_postgresql, new_sqlite):
        _compare_histories(make_database, finished_tasks)
    progress.print("claims with a snapshot held open ...")
    compare_claims()


def _compare_with_peers(package: Path) -> None:
    bodies = request_bodies(1, DIFFERENT_BODIES)
    with ExitStack() as stack:
        database = stack.enter_context(new_postgresql())
        ours = stack.enter_context(serve(database, package))
        pgqueuer = stack.enter_context(race.running_pgqueuer(database.url, package))
        contenders: dict[str, Callable[[float], Throughput]] = {
            OURS: partial(submit_and_drain, ours.port, bodies),
            PGQUEUER: pgqueuer.over_http,
            DIRECT: pgqueuer.direct,
            CELERY_ALWAYS: stack.enter_context(race.running_celery("always", package)),
            CELERY_EVERYSEC: stack.enter_context(race.running_celery("everysec", package)),
        }
        medians = _race(contenders)
        disk = f"an appended page takes {1000 * measure_disk():.2f} ms to reach the disk"
        note = f"{HOW} {database.name}: {database.settings}; {disk}."
    print_rows(
        "Tasks beside task libraries", ("", "tasks/s"), [(n, show(m)) for n, m in medians.items()], note
    )
    figures = [
        Figure(
            f"{OURS} / {name}",
            medians[OURS] / medians[name],
            target=5 if name == PGQUEUER else None,
            bound="at least",
        )
        for name in contenders
        if name != OURS
    ]
    print_figures("Tasks beside task libraries: ratios", figures)


def _race(contenders: Mapping[str, Callable[[float], Throughput]]) -> dict[str, float]:
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(ROUNDS + 1):
        for name, run in contenders.items():
            measured = run(CELERY_SECONDS if name.startswith("Celery") else ROUND_SECONDS)
            progress.print(f"  round {number} of {ROUNDS}: {name} {measured.per_second:,.0f} tasks/s")
            if number:  # the first one warms up
                rates[name].append(measured.per_second)
    return {name: statistics.median(of_rounds) for name, of_rounds in rates.items()}


def _compare_histories(
    make_database: Callable[[], AbstractContextManager[TaskDatabase]], finished_tasks: int
) -> None:
    with ExitStack() as stack:
        databases = {tasks: stack.enter_context(make_database()) for tasks in (FEW, finished_tasks)}
        for tasks, database in databases.items():
            progress.print(f"{database.name}: adding {tasks:,} finished tasks ...")
            add_finished(database, tasks)
        stores = {tasks: stack.enter_context(opened_store(one.url)) for tasks, one in databases.items()}
        passed: dict[int, list[float]] = {tasks: [] for tasks in stores}
        looked: dict[int, list[float]] = {tasks: [] for tasks in stores}
        for number in range(HISTORY_ROUNDS + 1):
            for tasks, store in stores.items():
                rate, seconds = _pass_and_look(store)
                progress.print(f"  round {number} with {tasks:,} finished: {rate:,.0f} tasks/s")
                if number:
                    passed[tasks].append(rate)
                    looked[tasks].append(seconds)
        name = databases[FEW].name
    costs = {tasks: 1e6 / statistics.median(rates) for tasks, rates in passed.items()}
    looks = {tasks: statistics.median(seconds) for tasks, seconds in looked.items()}
    print_figures(
        f"{name} with {finished_tasks:,} finished tasks against {FEW}",
        [
            Figure(
                "cost of a task, many / few",
                costs[finished_tasks] / costs[FEW],
                target=1.2,
                how=f"accepted, claimed and completed over the ports in groups of {GROUP}: "
                f"{show(costs[FEW])} and {show(costs[finished_tasks])} us",
            ),
            Figure(
                "a page of tasks and all counts, many / few",
                looks[finished_tasks] / looks[FEW],
                target=1.2,
                how="what GET /task reads: "
                f"{show(1000 * looks[FEW])} and {show(1000 * looks[finished_tasks])} ms",
            ),
        ],
        f"Medians of {HISTORY_ROUNDS} rounds of {ROUND_SECONDS:g} s, the two databases in turn.",
    )


def _pass_and_look(store: Store) -> tuple[float, float]:
    rate = pass_tasks(store, BODY, group=GROUP, seconds=ROUND_SECONDS)
    return rate, statistics.median(time_call(partial(look, store), LOOKS))
