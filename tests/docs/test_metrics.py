"""The page of metrics and the code say the same, both ways."""

from prometheus_client.parser import text_string_to_metric_families

from flagrank.telemetry import Metrics, QueueReadings, Readings, render_metrics
from flagrank.triage.drift import Drift, FeatureDrift, WindowDrift
from flagrank.triage.ports import ModelIdentity
from flagrank.triage.task import TaskCounts, TaskStatus
from tests.docs.documents import REFERENCE, find_pages, read_codes, read_rows

PAGE = REFERENCE / "metrics.md"


def find_metrics() -> dict[str, str]:
    """Name and kind of all that a scrape may show."""
    readings = Readings(
        is_ready=True,
        model=ModelIdentity("report-priority", "3"),
        counts=TaskCounts(dict.fromkeys(TaskStatus, 0), 0.0),
        oldest_snapshot_seconds=0.0,
        drift=Drift({"1h": WindowDrift(100, {"a": FeatureDrift(0.0, 0.0)}, 0.0)}, {"a": 0.0}),
        queue=QueueReadings(0, 0, 0),
    )
    families = text_string_to_metric_families(render_metrics(Metrics(), readings).body.decode())
    suffixes = {"counter": "_total"}
    return {family.name + suffixes.get(family.type, ""): family.type for family in families}


def test_every_metric_is_documented_and_no_other() -> None:
    documented = {row[0].strip("`"): row[1] for row in read_rows(PAGE.read_text())}
    assert documented == find_metrics()


def test_pages_name_metrics_that_exist() -> None:
    known = find_metrics()
    named = {
        code.partition("{")[0]
        for page in find_pages()
        for code in read_codes(page.read_text())
        if code.startswith("flagrank_")
    }
    assert len(named) > 10
    assert named <= set(known)
