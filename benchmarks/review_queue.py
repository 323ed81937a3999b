"""The review queue with a million open cases: leases, decisions, pages and intake, against ten thousand."""

import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass, field
from itertools import count

import psycopg

from benchmarks.queue_history import OPEN_OF_TEN, REPORTS_A_CASE, fill
from benchmarks.queue_store import Queue, opened_queue
from benchmarks.tables import Figure, print_figures, print_rows, progress, show
from benchmarks.task_databases import TaskDatabase, new_postgresql, new_sqlite
from benchmarks.tasks import percentile
from flagrank.triage.errors import CaseConflict
from flagrank.triage.review import Arrival, QueueQuery

FEW, MANY, EMBEDDED = 100_000, 10_000_000, 1_000_000  # reports; a tenth as many cases are open
SMALL = (20_000, 200_000, 200_000)  # of a run of a minute
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
CALLS, ROUNDS_OF_PAGES = 120, 3  # whose pages are counted
TOLD_SECONDS = 0.3  # a connection that ends tells of its pages a little later
AIM_RATIO, AIM_INTAKE, AIM_EMBEDDED = 1.5, 2_000.0, 3.0
LEASE, DECISION, PAGE = "lease of 10", "decision", "two pages of GET /queue"
REPORTS = "reports taken in"
HOW = (
    f"Over the storage ports, no HTTP: {LEASES_PER_SECOND} leases of {CASES_A_LEASE} a second in an open "
    f"loop, each for {LEASE_SECONDS} s, every second one followed by a decision, and "
    f"{PAGES_PER_SECOND} times a second two pages of {CASES_A_PAGE}; then intake in batches of {BATCH}, half "
    f"of it on open cases. {ROUNDS} rounds of {ROUND_SECONDS:g} and {INTAKE_SECONDS:g} s, the databases in "
    f"turn; database and load share two processors. Alone and pages: medians of {ROUNDS_OF_PAGES} times "
    f"{CALLS} calls one after another; the pages are all that the server counts, in memory or not."
)


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
    alone: dict[str, float] = field(default_factory=dict)  # median seconds of a call, one after another
    pages: dict[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The database and its size."""
        return f"{self.database.name}, {self.n_open:,} open cases, {self.reports:,} reports"


def main(few: int = FEW, many: int = MANY, embedded: int = EMBEDDED) -> None:
    """Fill three databases with so many reports, measure them in turn, and print all of it."""
    with ExitStack() as stack:
        small = _prepare(stack, new_postgresql, few)
        large = _prepare(stack, new_postgresql, many)
        file = _prepare(stack, new_sqlite, embedded)
        every = (small, large, file)
        for number in range(ROUNDS + 1):
            for measured in every:
                _measure_round(measured, is_warm=number > 0)
        for measured in every:
            _call_alone(measured)
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


def _call_alone(measured: Measured) -> None:
    """Note the median time of each call, and how many pages PostgreSQL reads for it."""
    with opened_queue(measured.database.url) as queue:
        undecided = _list_undecided(queue)
        batches = _make_batches(queue, measured)
        calls: dict[str, Callable[[Queue], object]] = {
            LEASE: lambda own: own.lease("m1", CASES_A_LEASE, LEASE_SECONDS),
            DECISION: lambda own: own.decide(*next(undecided)),
            PAGE: lambda own: own.list_page(CASES_A_PAGE),
            REPORTS: lambda own: own.take_in(next(batches)),
        }
        for name, call in calls.items():
            rounds = [_watch_calls(measured.database, call) for _ in range(ROUNDS_OF_PAGES)]
            measured.alone[name] = statistics.median(seconds for seconds, _ in rounds)
            measured.pages[name] = statistics.median(pages for _, pages in rounds)


def _list_undecided(queue: Queue) -> Iterator[tuple[str, str]]:
    """Cases, and who may decide each."""
    while True:
        page = queue.reading.list_cases(QueueQuery(limit=CALLS))
        yield from [(case.case_id, case.leased_by or "nobody") for case in page.cases]


def _watch_calls(database: TaskDatabase, call: Callable[[Queue], object]) -> tuple[float, float]:
    """Median seconds of a call, and pages; what the first one of a connection reads beside is left out."""
    seconds = []
    before = _read_pages(database)
    with opened_queue(database.url) as queue:
        call(queue)
    time.sleep(TOLD_SECONDS)
    once = _read_pages(database)
    with opened_queue(database.url) as queue:
        for _ in range(CALLS):
            begin = time.perf_counter()
            call(queue)
            seconds.append(time.perf_counter() - begin)
    time.sleep(TOLD_SECONDS)
    pages = (_read_pages(database) - once) - (once - before)
    return statistics.median(seconds), pages / (CALLS - 1)


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
        calls = {**measured.seconds, "lease, from when it was due": measured.late}
        rows = [
            (
                name,
                *(f"{1000 * percentile(times, at):.2f} ms" for at in (50, 99)),
                f"{1000 * measured.alone[name]:.2f} ms" if name in measured.alone else "",
                f"{measured.pages[name]:,.1f}" if measured.pages.get(name) else "",
            )
            for name, times in calls.items()
        ]
        rows.append(
            (
                f"{BATCH} reports taken in",
                f"{1000 * BATCH / statistics.median(measured.intake):.2f} ms",
                "",
                f"{1000 * measured.alone[REPORTS]:.2f} ms",
                f"{measured.pages[REPORTS]:,.1f}",
            )
        )
        print_rows(measured.name, ("", "median", "p99", "alone", "pages read"), rows)


def _print_ratios(small: Measured, large: Measured, file: Measured) -> None:
    figures = []
    for name in large.seconds:
        median, alone = _compare(large, small, name)
        pages = large.pages[name] / small.pages[name]
        figures += [
            Figure(f"{name}, median time", median, target=AIM_RATIO, how=f"one after another {show(alone)}"),
            Figure(f"{name}, pages read", pages, target=AIM_RATIO),
        ]
    print_figures(f"{large.name} / {small.n_open:,} and {small.reports:,}", figures, HOW)
    figures = [
        Figure(
            f"reports/s, {measured.name}",
            statistics.median(measured.intake),
            target=AIM_INTAKE,
            bound="at least",
        )
        for measured in (small, large, file)
    ]
    for name in file.seconds:
        median, alone = _compare(file, large, name)
        compared = f"{name}, median time, {file.name} / {large.name}"
        figures.append(Figure(compared, median, target=AIM_EMBEDDED, how=f"one after another {show(alone)}"))
    print_figures("The review queue: intake, and SQLite", figures)


def _compare(one: Measured, other: Measured, name: str) -> tuple[float, float]:
    """Median times of one by those of the other: at the pace, and one call after another."""
    at_pace = statistics.median(one.seconds[name]) / statistics.median(other.seconds[name])
    return at_pace, one.alone[name] / other.alone[name]
