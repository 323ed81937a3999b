"""The role that scores tasks, alone (`flagrank worker`) or beside a server that started it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from flagrank.scoring.drift import DriftWatch
from flagrank.service.champion import ChampionWatch, watch_models
from flagrank.service.checked_packages import CheckedPackages, no_packages_checked
from flagrank.service.child_process import Order, ParentWatch
from flagrank.service.shared_counts import open_drift, open_metrics
from flagrank.service.stop_signal import StopSignal
from flagrank.service.store import opened_store
from flagrank.settings import Settings
from flagrank.storage.engine import Database
from flagrank.storage.schema import check_schema
from flagrank.storage.task_claims import StoredTaskClaims
from flagrank.storage.task_reading import StoredTaskReading
from flagrank.storage.task_retention import StoredTaskRetention
from flagrank.storage.wake_ups import choose_wake_ups
from flagrank.telemetry import Metrics, Readings, configure_logs, start_exporter
from flagrank.triage.errors import FlagrankError, SettingsRefused
from flagrank.triage.policy import DEFAULT_POLICY
from flagrank.triage.task import ClaimLimit
from flagrank.worker import Worker, WorkRules

LOOK_SECONDS = 0.1


def read_rules(settings: Settings) -> WorkRules:
    """How a worker works by these settings."""
    return WorkRules(
        lease_seconds=settings.lease_seconds,
        max_attempts=settings.max_attempts,
        kept_seconds=settings.retention_days * 86_400,
        group=ClaimLimit(tasks=settings.claim_tasks, reports=settings.claim_reports),
    )


def run_worker_alone(settings: Settings, announce: Callable[[], None]) -> None:
    """Work as a process of its own until a signal says to stop; `announce` is called at the start. Blocks.

    Raises `DatabaseRefused` or `StoreUnavailable` where the database can't be used at the start.
    """
    configure_logs(settings.log_style, settings.log_level)
    stop = StopSignal()
    metrics = Metrics()
    with no_packages_checked() as checked, opened_store(settings) as database:
        database.count_in(metrics.database)
        run_worker(
            database,
            metrics,
            read_rules(settings),
            checked,
            stop,
            drift=DriftWatch(),
            metrics_address=(settings.host, settings.worker_metrics_port),
            when_started=announce,
        )


def run_worker_child(order: Order, parent: ParentWatch) -> None:
    """Work as the child of a server, and no longer than the server lives. Blocks."""
    stop = StopSignal()
    with opened_store(order.settings) as database:
        rules, folder = read_rules(order.settings), Path(order.folder)
        metrics = open_metrics(folder, order.row)
        database.count_in(metrics.database)
        run_worker(
            database,
            metrics,
            rules,
            CheckedPackages(folder),
            stop,
            drift=open_drift(folder, order.row),
            when_started=lambda: parent.call(stop.note),
        )


def run_worker(
    database: Database,
    metrics: Metrics,
    rules: WorkRules,
    checked: CheckedPackages,
    stop: StopSignal,
    *,
    drift: DriftWatch,
    metrics_address: tuple[str, int] | None = None,
    when_started: Callable[[], None],
) -> None:
    """Work on the tasks of a database until told to stop; from the main thread. Blocks.

    Scrapes are answered at `metrics_address` unless its port is 0. `when_started` is called once it looks for
    tasks.

    Raises `DatabaseRefused` or `StoreUnavailable` where the database can't be used at the start.
    """
    check_schema(database)
    with ExitStack() as stack:
        wake_ups = choose_wake_ups(database)
        stack.enter_context(wake_ups)
        watch = stack.enter_context(watch_models(database, checked, metrics.models, drift))
        if metrics_address is not None and metrics_address[1]:
            stack.enter_context(_answering_scrapes(metrics, watch, database, metrics_address))
        worker = Worker(
            StoredTaskClaims(database),
            StoredTaskRetention(database),
            wake_ups,
            watch.find_lineup,
            policy=DEFAULT_POLICY,
            metrics=metrics.tasks,
            model_metrics=metrics.models,
            rules=rules,
        )
        when_started()
        thread = threading.Thread(target=worker.run, name="worker")
        thread.start()
        while thread.is_alive() and not stop.came:
            thread.join(LOOK_SECONDS)
        worker.stop()
        thread.join()
    if not stop.came:
        raise SystemExit(1)  # a defect, whose traceback the thread has written


@contextmanager
def _answering_scrapes(
    metrics: Metrics, watch: ChampionWatch, database: Database, address: tuple[str, int]
) -> Iterator[None]:
    reading = StoredTaskReading(database)

    def read() -> Readings:
        lineup = watch.find_lineup()
        try:
            counts = reading.count_tasks()
        except FlagrankError:  # the worker itself tells it
            counts = None
        model = lineup.champion.model if lineup else None
        return Readings(is_ready=lineup is not None, model=model, counts=counts, drift=watch.read_drift())

    host, port = address
    try:
        server, thread = start_exporter(metrics, read, host, port)
    except OSError as error:
        raise SettingsRefused(
            f"FLAGRANK_WORKER_METRICS_PORT={port} can't be listened on at {host}: {error.strerror}. "
            "Stop what listens there, or choose another port."
        ) from error
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
