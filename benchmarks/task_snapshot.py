"""Claims while one old snapshot holds vacuum up: what the rows cost that died and can't be removed."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext

import psycopg

from benchmarks.tables import Figure, print_figures, progress, show
from benchmarks.task_databases import TaskDatabase, new_postgresql
from benchmarks.task_history import BODY
from benchmarks.task_store import opened_store, time_claims
from benchmarks.tasks import percentile

TASKS = 500_000
GROUP = 50
AIM = 2.0  # CASES.md, G15
LAST_SHARE = 10  # the last tenth of the claims, behind which the most dead rows lie


def compare_claims(tasks: int = TASKS) -> None:
    """Let so many tasks pass on two new databases, one of them with a snapshot held open, and print both."""
    free, held = (_measure(tasks, is_held=is_held) for is_held in (False, True))
    print_figures(
        f"Claims while {tasks:,} tasks pass, a REPEATABLE READ transaction open / none open",
        [
            _compare("p99 of a claim", free, held, 99, target=AIM),
            _compare("p50 of a claim", free, held, 50),
            _compare(
                f"p99 of the last {len(held) // LAST_SHARE:,} claims",
                free[-len(free) // LAST_SHARE :],
                held[-len(held) // LAST_SHARE :],
                99,
            ),
            Figure(
                "the longest claim, ms",
                1000 * max(held),
                how=f"with none open {show(1000 * max(free))}; once a minute a claim looks everywhere",
            ),
        ],
        f"PostgreSQL, fsync on; one-report tasks are accepted, claimed and completed {GROUP} at a time over "
        "the ports, first on the one database, then on the other; only the claims are timed.",
    )


def _measure(tasks: int, *, is_held: bool) -> list[float]:
    """Seconds of each claim."""
    with new_postgresql() as database, opened_store(database.url) as store:
        with _open_snapshot(database) if is_held else nullcontext():
            begin = time.perf_counter()
            claims = time_claims(store, BODY, tasks=tasks, group=GROUP)
            rate = tasks / (time.perf_counter() - begin)
        progress.print(
            f"  {'a snapshot held open' if is_held else 'no snapshot open'}: {rate:,.0f} tasks/s, claims "
            + ", ".join(f"p{percent} {1000 * percentile(claims, percent):.2f} ms" for percent in (50, 90, 99))
        )
        return claims


@contextmanager
def _open_snapshot(database: TaskDatabase) -> Iterator[None]:
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        connection.execute("SELECT count(*) FROM task")
        yield


def _compare(
    name: str, free: Sequence[float], held: Sequence[float], percent: int, target: float | None = None
) -> Figure:
    without, under = percentile(free, percent), percentile(held, percent)
    how = f"{show(1000 * under)} and {show(1000 * without)} ms"
    return Figure(name, under / without, target=target, how=how)
