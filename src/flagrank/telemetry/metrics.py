"""The metrics of flagrank, by name: cheap to count, put into words when Prometheus asks."""

from collections.abc import Iterable, Sequence
from importlib.metadata import version
from itertools import product
from typing import Literal

import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from flagrank.telemetry.instruments import Counter, Gauge, Histogram, Key
from flagrank.telemetry.slots import Slots
from flagrank.triage.ports import ModelIdentity
from flagrank.triage.task import TaskCounts, TaskStatus

OTHER = "other"  # a route or a status that is none of those known
STATUSES = (
    *(200, 201, 202, 204, 303, 304, 307),
    *(400, 401, 403, 404, 405, 408, 409, 413, 415, 422, 429, 431),
    *(500, 503),
)
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000)

Transaction = Literal["read", "write"]


class Readings(msgspec.Struct, frozen=True, kw_only=True):
    """What is read at the time of a scrape and counted nowhere; `counts` is None where the store is away."""

    reasons: Sequence[str]  # why this process is not ready
    model: ModelIdentity | None
    counts: TaskCounts | None
    oldest_snapshot_seconds: float | None = None  # of the database's transactions; None where it can't tell


class Exposition(msgspec.Struct, frozen=True):
    """The answer to a scrape."""

    content_type: str
    body: bytes


class Metrics:
    """Counts what happens in this process; every method may be called from any thread.

    Each takes under a microsecond, `render` some milliseconds.
    """

    def __init__(self, slots: Slots | None = None, routes: Iterable[str] = ()) -> None:
        """`routes` are all that requests are counted by; any other is counted as `other`."""
        slots = slots or Slots()
        names = dict.fromkeys((*routes, OTHER))
        statuses = (*map(str, STATUSES), OTHER)
        # The keys of the two are looked up here at once: the hot path makes no text and no tuple twice.
        self._request_keys: dict[tuple[str, int], Key] = {
            (route, status): (route, str(status)) for route, status in product(names, STATUSES)
        }
        self._route_keys: dict[str, Key] = {route: (route,) for route in names}
        self._requests = Counter(
            slots,
            "flagrank_http_requests",
            "Requests answered.",
            ("route", "status"),
            list(product(names, statuses)),
        )
        self._request_seconds = Histogram(
            slots,
            "flagrank_http_request_seconds",
            "Time from a request's head to the head of its answer.",
            SECONDS,
            labels=("route",),
            keys=list(self._route_keys.values()),
        )
        self._model_calls = Histogram(
            slots, "flagrank_model_call_reports", "Reports scored in one call of the model.", SIZES
        )
        self._commits = Histogram(
            slots, "flagrank_commit_tasks", "Tasks accepted in one commit.", SIZES
        )
        self._claims = Histogram(slots, "flagrank_claim_tasks", "Tasks claimed at once by a worker.", SIZES)
        final = [(str(status),) for status in TaskStatus if status.is_final]
        self._finished = Counter(
            slots, "flagrank_tasks_finished", "Tasks that became final.", ("status",), final
        )
        self._failed_attempts = Counter(
            slots, "flagrank_task_attempts_failed", "Attempts that failed; most are tried again.", (), [()]
        )
        self._lost_leases = Counter(
            slots, "flagrank_lease_losses", "Tasks whose lease was over before their result was written.", (), [()]
        )
        self._database_waits = Histogram(
            slots,
            "flagrank_database_wait_seconds",
            "Time until a connection, or SQLite's one writer, was free.",
            SECONDS,
        )
        self._transactions = Histogram(
            slots,
            "flagrank_database_transaction_seconds",
            "Time that a transaction took, without that wait.",
            SECONDS,
            labels=("kind",),
            keys=[("read",), ("write",)],
        )
        self._workers = Gauge(
            slots,
            "flagrank_workers",
            "Workers of this server, by how they learn of work from other processes.",
            ("mode",),
            [("listening",), ("polling",)],
        )
        self._instruments = (
            self._requests,
            self._request_seconds,
            self._model_calls,
            self._commits,
            self._claims,
            self._finished,
            self._failed_attempts,
            self._lost_leases,
            self._database_waits,
            self._transactions,
            self._workers,
        )
