"""The answer to a scrape: what was counted, and what is read at that moment."""

from collections.abc import Iterator, Mapping
from importlib.metadata import version

import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from flagrank.telemetry.metrics import Metrics
from flagrank.triage.drift import Drift
from flagrank.triage.ports import ModelIdentity
from flagrank.triage.task import TaskCounts


class QueueReadings(msgspec.Struct, frozen=True):
    """The review queue: its open cases, how many are over their deadline, how many more can't meet it."""

    n_open: int
    n_over: int
    n_lost: int


class Readings(msgspec.Struct, frozen=True, kw_only=True):
    """What is read when Prometheus asks."""

    is_ready: bool
    model: ModelIdentity | None
    counts: TaskCounts | None  # None where the store does not answer
    oldest_snapshot_seconds: float | None = None  # None where the store has no such thing
    drift: Drift | None = None  # None where no model scores
    queue: QueueReadings | None = None  # None where it was not read


class Exposition(msgspec.Struct, frozen=True):
    """A body and its Content-Type."""

    content_type: str
    body: bytes


def render_metrics(metrics: Metrics, readings: Readings, accept: str = "") -> Exposition:
    """Everything in Prometheus's text format, or in OpenMetrics where `Accept` asks for it.

    Takes some milliseconds, and waits for nothing.
    """
    registry = CollectorRegistry()
    registry.register(_Scrape(metrics, readings))
    encode, content_type = choose_encoder(accept)
    return Exposition(content_type, encode(registry))


class _Scrape(Collector):
    """A class because the library asks for one."""

    def __init__(self, metrics: Metrics, readings: Readings) -> None:
        self._metrics = metrics
        self._readings = readings

    def describe(self) -> Iterator[Metric]:
        return iter(())

    def collect(self) -> Iterator[Metric]:
        readings = self._readings
        yield from (instrument.collect() for instrument in self._metrics.instruments)
        yield _gauge("flagrank_build_info", "The version that runs.", {"version": version("flagrank")}, 1)
        yield _gauge(
            "flagrank_ready", "Whether requests should be sent to this process.", {}, readings.is_ready
        )
        if readings.model:
            labels = {"name": readings.model.name, "version": readings.model.version}
            yield _gauge("flagrank_model_info", "The model that scores.", labels, 1)
        yield from _describe_store(readings)
        if readings.queue:
            yield from _describe_queue(readings.queue)
        if readings.drift:
            yield from _describe_drift(readings.drift)


def _describe_store(readings: Readings) -> Iterator[Metric]:
    counts = readings.counts
    yield _gauge("flagrank_store_up", "Whether the database answers.", {}, counts is not None)
    if counts is not None:
        tasks = GaugeMetricFamily("flagrank_tasks", "Tasks in the database.", labels=["status"])
        for status, n in counts.by_status.items():
            tasks.add_metric([status], n)
        yield tasks
        meaning = "How long the oldest queued task has been due."
        yield _gauge("flagrank_backlog_age_seconds", meaning, {}, counts.oldest_queued_seconds)
    if readings.oldest_snapshot_seconds is not None:
        meaning = "Age of the oldest snapshot that keeps vacuum from removing dead rows."
        yield _gauge(
            "flagrank_database_oldest_snapshot_seconds", meaning, {}, readings.oldest_snapshot_seconds
        )


def _describe_queue(queue: QueueReadings) -> Iterator[Metric]:
    yield _gauge("flagrank_open_cases", "Cases that are open.", {}, queue.n_open)
    yield _gauge("flagrank_overdue_cases", "Open cases that are over their deadline.", {}, queue.n_over)
    meaning = "Further open cases that can't be reviewed by their deadline at the pace of the last 24 hours."
    yield _gauge("flagrank_lost_deadlines", meaning, {}, queue.n_lost)


def _describe_drift(drift: Drift) -> Iterator[Metric]:
    reports = GaugeMetricFamily(
        "flagrank_drift_reports", "Reports that a window of drift has counted.", labels=["window"]
    )
    score = GaugeMetricFamily(
        "flagrank_drift_score_psi",
        "Population stability index of the scores, against those of training.",
        labels=["window"],
    )
    index = GaugeMetricFamily(
        "flagrank_drift_psi",
        "Population stability index of a feature's known values, against the training data.",
        labels=["feature", "window"],
    )
    missing = GaugeMetricFamily(
        "flagrank_drift_missing_share", "Share of reports without a value.", labels=["feature", "window"]
    )
    trained = GaugeMetricFamily(
        "flagrank_drift_trained_missing_share", "Share of training rows without a value.", labels=["feature"]
    )
    for window, measured in drift.windows.items():
        reports.add_metric([window], measured.reports)
        if measured.score_index is not None:
            score.add_metric([window], measured.score_index)
        for name, feature in measured.features.items():
            missing.add_metric([name, window], feature.missing_share)
            if feature.index is not None:
                index.add_metric([name, window], feature.index)
    for name, share in drift.trained_missing.items():
        trained.add_metric([name], share)
    yield from (reports, score, index, missing, trained)


def _gauge(name: str, meaning: str, labels: Mapping[str, str], value: float) -> Metric:
    family = GaugeMetricFamily(name, meaning, labels=list(labels))
    family.add_metric(list(labels.values()), value)
    return family
