"""The role that scores tasks, alone (`flagrank worker`) or beside a server that started it."""

import threading
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from flagrank.scoring.drift import DriftWatch
from flagrank.service.champion import ChampionWatch, watch_models
from flagrank.service.checked_packages import CheckedPackages
from flagrank.service.child_process import Order, ParentWatch
from flagrank.service.scoring_process import score_apart
from flagrank.service.shared_counts import ROUTES, open_drift, open_metrics
from flagrank.service.stop_signal import StopSignal
from flagrank.service.store import opened_store
from flagrank.settings import Settings
from flagrank.storage.case_ranking import StoredCaseRanking
from flagrank.storage.engine import Database
from flagrank.storage.outcomes import StoredOutcomes
from flagrank.storage.reporter_groups import StoredReporterGroups
from flagrank.storage.task_claims import StoredTaskClaims
from flagrank.storage.task_retention import StoredTaskRetention
from flagrank.storage.wake_ups import choose_wake_ups
from flagrank.telemetry import Metrics, configure_logs
from flagrank.triage.task import ClaimLimit
from flagrank.worker import Ranker, Worker, WorkRules

LOOK_SECONDS = 0.1


def read_rules(settings: Settings) -> WorkRules:
    """How a worker works by these settings."""
    return WorkRules(
        lease_seconds=settings.lease_seconds,
        max_attempts=settings.max_attempts,
        kept_seconds=settings.retention_days * 86_400,
        group=ClaimLimit(tasks=settings.claim_tasks, reports=settings.claim_reports),
    )


def run_worker_alone(settings: Settings, announce: Callable[[str | None], None]) -> None:
    """Work as a process of its own until a signal says to stop. Blocks.

    `announce` hears at the start where its metrics are, None where it has no port.

    Raises `DatabaseRefused` or `StoreUnavailable` where the database can't be used at the start, and
    `SettingsRefused` where the port can't.
    """
    configure_logs(settings.log_style, settings.log_level)
    stop = StopSignal()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="flagrank-")))
        order = Order(role="worker", settings=settings, folder=str(folder))
        checked = CheckedPackages(folder)
        database = stack.enter_context(opened_store(settings))
        metrics = Metrics(routes=ROUTES)
        database.count_in(metrics.database)
        models = stack.enter_context(watch_models(database, checked, metrics.models, DriftWatch()))
        address = None
        if settings.worker_port is not None:
            from flagrank.service.worker_server import answering  # a web framework; most workers have no port

            answers = answering(settings, settings.worker_port, database, models, metrics)
            address = stack.enter_context(answers)
        run_worker(
            order,
            database,
            metrics,
            models,
            stop,
            when_started=lambda: announce(address),
        )


def run_worker_child(order: Order, parent: ParentWatch) -> None:
    """Work as the child of a server, and no longer than the server lives. Blocks."""
    stop = StopSignal()
    folder = Path(order.folder)
    metrics, drift = open_metrics(folder, order.row), open_drift(folder, order.row)
    with (
        opened_store(order.settings) as database,
        watch_models(database, CheckedPackages(folder), metrics.models, drift) as models,
    ):
        database.count_in(metrics.database)
        run_worker(
            order,
            database,
            metrics,
            models,
            stop,
            when_started=lambda: parent.call(stop.note),
        )


def run_worker(
    order: Order,
    database: Database,
    metrics: Metrics,
    models: ChampionWatch,
    stop: StopSignal,
    *,
    when_started: Callable[[], None],
) -> None:
    """Work on the tasks of a database until told to stop; from the main thread. Blocks.

    `when_started` is called once it looks for tasks.
    """
    ranker = Ranker(
        StoredCaseRanking(database),
        StoredOutcomes(database),
        StoredReporterGroups(database),
        models.find_policy,
    )
    with choose_wake_ups(database) as wake_ups, ranker:
        worker = Worker(
            StoredTaskClaims(database, models.find_policy),
            StoredTaskRetention(database),
            wake_ups,
            models.find_lineup,
            partial(score_apart, order),
            find_policy=models.find_policy,
            metrics=metrics.tasks,
            model_metrics=metrics.models,
            rules=read_rules(order.settings),
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
