"""The review queue with a million open cases: leases, decisions, pages and intake, against ten thousand."""

import os
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import NamedTuple

import psycopg
from sqlalchemy import text

from benchmarks.queue_history import OPEN_OF_TEN, REPORTS_A_CASE, fill
from benchmarks.queue_store import Queue, opened_queue
from benchmarks.tables import Figure, print_figures, print_rows, progress, show
from benchmarks.task_databases import TaskDatabase, new_postgresql, new_sqlite
from benchmarks.tasks import percentile
from flagrank.triage.errors import CaseConflict
from flagrank.triage.review import Arrival, QueueQuery

FEW, MANY, EMBEDDED = 100_000, 10_000_000, 1_000_000  # reports; a tenth as many cases are open
SMALL = (20_000, 200_000, 200_000, 1)  # and one round: two minutes
ROUNDS = 5
ROUND_SECONDS = 4.0
LEASES_PER_SECOND, CASES_A_LEASE = 100, 10
PAGES_PER_SECOND, CASES_A_PAGE = 20, 100
DECIDED_OF_LEASES = 2  # each second one is followed by a decision
THREADS = 6
MODERATORS = 32
LEASE_SECONDS = 1  # so that a thousand cases are held at any time, and none runs out
BATCH = 200  # reports in one transaction of intake
INTAKE_SECONDS = 2.0
CALLS, ROUNDS_ALONE = 90, 3
TOLD_SECONDS = 0.3  # a connection that ends tells of its pages a little later
AIM_RATIO, AIM_INTAKE, AIM_EMBEDDED = 1.5, 2_000.0, 3.0
LEASE, DECISION, PAGE = "lease of 10", "decision", "two pages of GET /queue"
REPORTS = "reports taken in"
HOW = (
    f"Over the storage ports, no HTTP: {LEASES_PER_SECOND} leases of {CASES_A_LEASE} a second in an open "
    f"loop, each for {LEASE_SECONDS} s, every second one followed by a decision, and "
    f"{PAGES_PER_SECOND} times a second two pages of {CASES_A_PAGE}; then intake in batches of {BATCH}, half "
    f"of it on open cases. Rounds of {ROUND_SECONDS:g} and {INTAKE_SECONDS:g} s, the databases in "
    f"turn; database and load share two processors. Alone: {ROUNDS_ALONE} times {CALLS} calls one after "
    "another; processor: ours and the database's time; pages: all that the server counts, in memory or not."
)


class Cost(NamedTuple):
    """What a call costs where nothing else is done; of SQLite nobody counts the pages."""

    seconds: float
    cpu: float  # seconds of the processor, ours and the database's
    pages: float


@dataclass(slots=True)
class Measured:
    """What was measured on one database; seconds of each call, reports a second of each round."""

    database: TaskDatabase
    reports: int
    n_open: int
    seconds: dict[str, list[float]] = field(default_factory=lambda: {LEASE: [], DECISION: [], PAGE: []})
    late: list[float] = field(
        default_factory=list
    )  # how much later than asked a lease was over, and its time
    intake: list[float] = field(default_factory=list)
    alone: dict[str, Cost] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The database and its size."""
        return f"{self.database.name}, {self.n_open:,} open cases, {self.reports:,} reports"


def main(few: int = FEW, many: int = MANY, embedded: int = EMBEDDED, rounds: int = ROUNDS) -> None:
    """Fill three databases with so many reports, measure them in turn, and print all of it."""
    with ExitStack() as stack:
        small = _prepare(stack, new_postgresql, few)
        large = _prepare(stack, new_postgresql, many)
        file = _prepare(stack, new_sqlite, embedded)
        every = (small, large, file)
        for number in range(rounds + 1):
            for measured in every:
                _measure_round(measured, is_warm=number > 0)
        _call_alone(every)
    _print(every)
    _print_ratios(small, large, file)


def _prepare(
    stack: ExitStack, make: Callable[[], AbstractContextManager[TaskDatabase]], reports: int
) -> Measured:
    database = stack.enter_context(make())
    progress.print(f"{database.name}: adding {reports:,} reports ...")
    begin = time.perf_counter()
    n_open = fill(database.url, reports)
    progress.print(f"  {n_open:,} open cases after {time.perf_counter() - begin:,.0f} s")
    return Measured(database, reports, n_open)


def _measure_round(measured: Measured, *, is_warm: bool) -> None:
    with opened_queue(measured.database.url) as queue:
        load = _Load(queue)
        load.run()
        rate = _time_intake(queue, measured)
    medians = ", ".join(
        f"{name} {1000 * statistics.median(times):.2f} ms" for name, times in load.seconds.items()
    )
    progress.print(f"  {measured.name}: {medians}, {rate:,.0f} reports/s")
    if is_warm:
        for name, times in load.seconds.items():
            measured.seconds[name] += times
        measured.late += load.late
        measured.intake.append(rate)


class _Load:
    """Moderators who lease, decide one case of each lease, and look, at an even pace whatever comes back."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self.seconds: dict[str, list[float]] = {LEASE: [], DECISION: [], PAGE: []}
        self.late: list[float] = []

    def run(self) -> None:
        """Keep the pace for a round."""
        pending: list[Future[None]] = []
        start = time.perf_counter() + 0.05
        with ThreadPoolExecutor(THREADS) as pool:
            for number in range(int(ROUND_SECONDS * LEASES_PER_SECOND)):
                due = start + number / LEASES_PER_SECOND
                time.sleep(max(0.0, due - time.perf_counter()))
                pending.append(pool.submit(self._review, number, due))
                if number % (LEASES_PER_SECOND // PAGES_PER_SECOND) == 0:
                    pending.append(pool.submit(self._look))
        for one in pending:
            one.result()

    def _review(self, number: int, due: float) -> None:
        moderator = f"m{number % MODERATORS}"
        begin = time.perf_counter()
        leased = self._queue.lease(moderator, CASES_A_LEASE, LEASE_SECONDS)
        end = time.perf_counter()
        self.seconds[LEASE].append(end - begin)
        self.late.append(end - due)
        if leased and number % DECIDED_OF_LEASES == 0:
            with suppress(CaseConflict):  # where all is so slow that the lease is over, and another has it
                self._queue.decide(leased[0].case_id, moderator)
                self.seconds[DECISION].append(time.perf_counter() - end)

    def _look(self) -> None:
        begin = time.perf_counter()
        self._queue.list_page(CASES_A_PAGE)
        self.seconds[PAGE].append(time.perf_counter() - begin)


def _time_intake(queue: Queue, measured: Measured) -> float:
    """Reports a second."""
    batches = _make_batches(queue, measured)
    taken = 0
    seconds = 0.0
    while seconds < INTAKE_SECONDS:
        batch = next(batches)
        begin = time.perf_counter()
        queue.take_in(batch)
        seconds += time.perf_counter() - begin
        taken += BATCH
    return taken / seconds


def _make_batches(queue: Queue, measured: Measured) -> Iterator[list[Arrival]]:
    """Reports, half of them on cases that were there, half on new targets."""
    chance = random.Random()  # noqa: S311 - no secret
    tens = measured.reports // REPORTS_A_CASE // 10
    new = count(time.time_ns())
    while True:
        known = (chance.randrange(tens) * 10 + chance.randrange(OPEN_OF_TEN) for _ in range(BATCH // 2))
        targets = [target for number in known for target in (f"p{number}", f"new{next(new)}")]
        yield [queue.make_arrival(target, chance) for target in targets]


def _call_alone(every: Sequence[Measured]) -> None:
    """Note what each call costs alone, on each database in turn."""
    with ExitStack() as stack:
        calls = [
            (one, _list_calls(one, stack.enter_context(opened_queue(one.database.url)))) for one in every
        ]
        costs: dict[tuple[int, str], list[Cost]] = {}
        for _ in range(ROUNDS_ALONE):
            for measured, of_one in calls:
                for name, call in of_one.items():
                    costs.setdefault((id(measured), name), []).append(_watch_calls(measured.database, call))
        for measured, of_one in calls:
            for name in of_one:
                rounds = costs[id(measured), name]
                measured.alone[name] = Cost(*map(statistics.median, zip(*rounds, strict=True)))


def _list_calls(measured: Measured, queue: Queue) -> dict[str, Callable[[Queue], object]]:
    """What is watched; `queue` only looks up what to do next."""
    undecided = _list_undecided(queue)
    batches = _make_batches(queue, measured)
    return {
        LEASE: lambda own: own.lease("alone", CASES_A_LEASE, LEASE_SECONDS),
        DECISION: lambda own: own.decide(next(undecided), "alone"),
        PAGE: lambda own: own.list_page(CASES_A_PAGE),
        REPORTS: lambda own: own.take_in(next(batches)),
    }


def _list_undecided(queue: Queue) -> Iterator[str]:
    while True:
        yield from [case.case_id for case in queue.reading.list_cases(QueueQuery(limit=CALLS)).cases]


def _watch_calls(database: TaskDatabase, call: Callable[[Queue], object]) -> Cost:
    """Medians of calls; what the first one of a connection reads beside is left out."""
    seconds = []
    before = _read_pages(database)
    with opened_queue(database.url) as queue:
        call(queue)
    time.sleep(TOLD_SECONDS)
    once = _read_pages(database)
    with opened_queue(database.url) as queue:
        call(queue)
        session = _find_session(queue)
        cpu = time.process_time() + _read_cpu(session)
        for _ in range(CALLS):
            begin = time.perf_counter()
            call(queue)
            seconds.append(time.perf_counter() - begin)
        cpu = time.process_time() + _read_cpu(session) - cpu
    time.sleep(TOLD_SECONDS)
    pages = (_read_pages(database) - once) - (once - before)
    return Cost(statistics.median(seconds), cpu / CALLS, pages / CALLS)


def _find_session(queue: Queue) -> int | None:
    """The process that serves the one connection of this queue; SQLite is in our own."""
    if queue.database.is_embedded:
        return None
    with queue.database.read() as connection:
        return int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())


def _read_cpu(session: int | None) -> float:
    """Seconds of processor time, user and system, until now."""
    if session is None:
        return 0.0
    fields = Path(f"/proc/{session}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _read_pages(database: TaskDatabase) -> int:
    """All that its sessions have read until now; in SQLite nobody counts."""
    server, _, name = database.url.rpartition("/")
    if server.startswith("sqlite"):
        return 0
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        row = connection.execute(
            "SELECT blks_hit + blks_read FROM pg_stat_database WHERE datname = %s", [name]
        ).fetchone()
    return 0 if row is None else int(row[0])


def _print(every: Sequence[Measured]) -> None:
    for measured in every:
        times = {**measured.seconds, "lease, from when it was due": measured.late}
        rows = [(name, *_show_times(of_name), *_show_cost(measured, name)) for name, of_name in times.items()]
        a_batch = BATCH / statistics.median(measured.intake)
        rows.append((f"{BATCH} {REPORTS}", show(1000 * a_batch, "ms"), "", *_show_cost(measured, REPORTS)))
        print_rows(measured.name, ("", "median", "p99", "alone", "processor", "pages read"), rows)


def _show_times(times: Sequence[float]) -> tuple[str, str]:
    return show(1000 * percentile(times, 50), "ms"), show(1000 * percentile(times, 99), "ms")


def _show_cost(measured: Measured, name: str) -> tuple[str, str, str]:
    cost = measured.alone.get(name)
    if cost is None:
        return "", "", ""
    pages = show(cost.pages) if cost.pages else ""
    return show(1000 * cost.seconds, "ms"), show(1000 * cost.cpu, "ms"), pages


def _print_ratios(small: Measured, large: Measured, file: Measured) -> None:
    figures = []
    for name in large.seconds:
        pages = large.alone[name].pages / small.alone[name].pages
        figures += [
            _compare(f"{name}, median time", large, small, name, target=AIM_RATIO),
            Figure(f"{name}, pages read", pages, target=AIM_RATIO),
        ]
    print_figures(
        f"{large.n_open:,} open cases and {large.reports:,} reports / {small.n_open:,}", figures, HOW
    )
    figures = [
        Figure(
            f"reports/s, {measured.name}",
            statistics.median(measured.intake),
            target=AIM_INTAKE,
            bound="at least",
            how=f"a processor's whole time is enough for {show(BATCH / measured.alone[REPORTS].cpu)}",
        )
        for measured in (small, large, file)
    ]
    figures += [
        _compare(f"{name}, SQLite / PostgreSQL", file, large, name, target=AIM_EMBEDDED)
        for name in file.seconds
    ]
    print_figures("The review queue: intake, and SQLite", figures)


def _compare(title: str, one: Measured, other: Measured, name: str, *, target: float) -> Figure:
    """Median times at the pace, those of one by those of the other."""
    at_pace = statistics.median(one.seconds[name]) / statistics.median(other.seconds[name])
    alone, of_other = one.alone[name], other.alone[name]
    how = f"alone {show(alone.seconds / of_other.seconds)}, processor time {show(alone.cpu / of_other.cpu)}"
    return Figure(title, at_pace, target=target, how=how)
