import math
from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

from flagrank.telemetry import Metrics, Readings, Slots, render_metrics
from flagrank.triage.drift import Drift, FeatureDrift, WindowDrift
from flagrank.triage.ports import ModelIdentity
from flagrank.triage.task import TaskCounts, TaskStatus

AWAY = Readings(is_ready=False, model=None, counts=None)
Samples = Mapping[tuple[str, tuple[tuple[str, str], ...]], float]


def scrape(metrics: Metrics, readings: Readings = AWAY) -> Samples:
    """What Prometheus's own parser reads."""
    text = render_metrics(metrics, readings).body.decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def find(samples: Samples, metric: str, /, **labels: str) -> float | None:
    return samples.get((metric, tuple(sorted(labels.items()))))


def test_requests_are_counted_by_route_and_status() -> None:
    metrics = Metrics(routes=["/predict", "/task"])
    metrics.requests.observe("/predict", 202, 0.003)
    metrics.requests.observe("/predict", 202, 0.2)
    metrics.requests.observe("/predict", 503, 20)
    samples = scrape(metrics)
    assert find(samples, "flagrank_http_requests_total", route="/predict", status="202") == 2
    assert find(samples, "flagrank_http_requests_total", route="/predict", status="503") == 1
    assert find(samples, "flagrank_http_requests_total", route="/task", status="200") is None
    assert find(samples, "flagrank_http_request_seconds_count", route="/predict") == 3
    assert find(samples, "flagrank_http_request_seconds_sum", route="/predict") == 20.203
    buckets = ("0.0025", "0.005", "0.1", "0.25", "10.0", "+Inf")
    counts = [
        find(samples, "flagrank_http_request_seconds_bucket", route="/predict", le=le) for le in buckets
    ]
    assert counts == [0, 1, 1, 2, 2, 3]


def test_a_route_or_status_that_is_not_known_makes_no_new_series() -> None:
    metrics = Metrics(routes=["/task"])
    for number in range(50):
        metrics.requests.observe(f"/wp-admin/{number}", 404, 0)
        metrics.requests.observe("/task", 600 + number, 0)
    samples = scrape(metrics)
    assert find(samples, "flagrank_http_requests_total", route="other", status="404") == 50
    assert find(samples, "flagrank_http_requests_total", route="/task", status="other") == 50
    assert sum(name == "flagrank_http_requests_total" for name, _ in samples) == 2


def test_a_value_on_a_bound_belongs_below_it() -> None:
    metrics = Metrics()
    metrics.tasks.model_calls.observe(1_000)
    metrics.tasks.model_calls.observe(10_001)
    samples = scrape(metrics)
    assert find(samples, "flagrank_model_call_reports_bucket", le="500.0") == 0
    assert find(samples, "flagrank_model_call_reports_bucket", le="1000.0") == 1
    assert find(samples, "flagrank_model_call_reports_bucket", le="10000.0") == 1
    assert find(samples, "flagrank_model_call_reports_bucket", le="+Inf") == 2


def test_readings_are_shown_as_they_are_at_the_scrape() -> None:
    counts = TaskCounts({**dict.fromkeys(TaskStatus, 0), TaskStatus.QUEUED: 7}, 12.5)
    readings = Readings(
        is_ready=True, model=ModelIdentity('a"b', "3"), counts=counts, oldest_snapshot_seconds=4.0
    )
    samples = scrape(Metrics(), readings)
    assert find(samples, "flagrank_ready") == 1
    assert find(samples, "flagrank_store_up") == 1
    assert find(samples, "flagrank_model_info", name='a"b', version="3") == 1
    assert find(samples, "flagrank_tasks", status="queued") == 7
    assert find(samples, "flagrank_tasks", status="failed") == 0
    assert find(samples, "flagrank_backlog_age_seconds") == 12.5
    assert find(samples, "flagrank_database_oldest_snapshot_seconds") == 4


def test_a_store_that_is_away_leaves_its_numbers_out() -> None:
    samples = scrape(Metrics())
    assert find(samples, "flagrank_store_up") == 0
    assert find(samples, "flagrank_ready") == 0
    assert not any(name.startswith(("flagrank_tasks{", "flagrank_backlog")) for name, _ in samples)


def test_a_worker_is_counted_by_how_it_learns_of_work() -> None:
    metrics = Metrics()
    for is_listening, shown in ((True, (1, 0)), (False, (0, 1)), (None, (0, 0))):
        metrics.tasks.set_worker_mode(is_listening=is_listening)
        samples = scrape(metrics)
        modes = ("listening", "polling")
        assert tuple(find(samples, "flagrank_workers", mode=mode) for mode in modes) == shown


def test_drift_is_shown_by_feature_and_window() -> None:
    hour = WindowDrift(500, {"a": FeatureDrift(0.3, 0.125), "b": FeatureDrift(None, 1.0)}, 0.2)
    drift = Drift({"1h": hour, "24h": WindowDrift(7)}, {"a": 0.0, "b": 0.5})
    samples = scrape(Metrics(), Readings(is_ready=True, model=None, counts=None, drift=drift))
    shown = {sample: value for sample, value in samples.items() if sample[0].startswith("flagrank_drift")}
    assert shown == {
        ("flagrank_drift_reports", (("window", "1h"),)): 500,
        ("flagrank_drift_reports", (("window", "24h"),)): 7,
        ("flagrank_drift_score_psi", (("window", "1h"),)): 0.2,
        ("flagrank_drift_psi", (("feature", "a"), ("window", "1h"))): 0.3,
        ("flagrank_drift_missing_share", (("feature", "a"), ("window", "1h"))): 0.125,
        ("flagrank_drift_missing_share", (("feature", "b"), ("window", "1h"))): 1,
        ("flagrank_drift_trained_missing_share", (("feature", "a"),)): 0,
        ("flagrank_drift_trained_missing_share", (("feature", "b"),)): 0.5,
    }


def test_openmetrics_is_given_where_it_is_asked_for() -> None:
    plain = render_metrics(Metrics(), AWAY)
    assert plain.content_type.startswith("text/plain")
    asked = render_metrics(Metrics(), AWAY, "application/openmetrics-text;version=1.0.0")
    assert asked.content_type.startswith("application/openmetrics-text")
    assert asked.body.endswith(b"# EOF\n")


def test_counting_never_reads_as_nan() -> None:
    assert not any(math.isnan(value) for value in scrape(Metrics(Slots(), ["/task"])).values())
