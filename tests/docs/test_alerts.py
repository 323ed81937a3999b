"""The alert rules name metrics and labels that exist, and the page that explains them names the same."""

import re
from typing import Any

import yaml  # type: ignore[import-untyped]  # it comes with schemathesis
from prometheus_client.parser import text_string_to_metric_families

from flagrank.telemetry import Metrics, QueueReadings, Readings, render_metrics
from flagrank.triage.drift import Drift, FeatureDrift, WindowDrift
from flagrank.triage.task import TaskCounts, TaskStatus
from tests.docs.documents import ROOT, read_codes, read_rows, read_section

(GROUP,) = yaml.safe_load((ROOT / "docs" / "alerts.yml").read_text())["groups"]
RULES: list[dict[str, Any]] = GROUP["rules"]
SCRAPED = {"instance", "job"}  # labels that Prometheus adds
WORDS = {"and", "or", "on", "abs", "increase", "up", "group_left", *SCRAPED}


def scrape() -> dict[str, set[str]]:
    """Every metric by the name of its samples, with its labels and their known values."""
    window = WindowDrift(100, {"a": FeatureDrift(0.0, 0.0)}, 0.0)
    metrics = Metrics()
    metrics.tasks.finished.add((TaskStatus.FAILED,))
    readings = Readings(
        is_ready=True,
        model=None,
        counts=TaskCounts(dict.fromkeys(TaskStatus, 0), 0.0),
        oldest_snapshot_seconds=0.0,
        drift=Drift({"1h": window, "24h": window}, {"a": 0.0}),
        queue=QueueReadings(0, 0, 0),
    )
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(render_metrics(metrics, readings).body.decode()):
        for sample in family.samples:
            labels = {f'{name}="{value}"' for name, value in sample.labels.items()} | set(sample.labels)
            found.setdefault(sample.name, set()).update(labels)
    return found


SAMPLES = scrape()


def test_a_rule_has_what_prometheus_asks_for() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES) >= 9
    for rule in RULES:
        assert re.fullmatch(r"Flagrank[A-Za-z]+", rule["alert"])
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert re.fullmatch(r"\d+[mh]", rule.get("for", "1m"))
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert list(rule["annotations"]) == ["summary"]
        expression = rule["expr"]
        assert all(expression.count(first) == expression.count(last) for first, last in ("()", "{}", "[]"))


def test_a_rule_names_metrics_and_labels_that_exist() -> None:
    for rule in RULES:
        expression = rule["expr"]
        names = set(re.findall(r"\bflagrank_\w+", expression))
        assert names
        assert names <= set(SAMPLES), rule["alert"]
        for name, matchers in re.findall(r"\b(flagrank_\w+)\{([^}]*)\}", expression):
            assert set(matchers.split(", ")) <= SAMPLES[name], rule["alert"]
        labels = set().union(*(SAMPLES[name] for name in names)) | SCRAPED
        joined = re.findall(r"on \(([^)]*)\)", expression)
        assert {label for group in joined for label in group.split(", ")} <= labels, rule["alert"]
        assert set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"])) <= labels, rule["alert"]
        bare = re.sub(r'flagrank_\w+|\{[^}]*\}|"[^"]*"|\[\w+\]', "", expression)
        assert set(re.findall(r"[a-z_]+", bare)) <= WORDS | labels, rule["alert"]


def test_the_page_tells_what_every_rule_means() -> None:
    told: set[str] = set()
    for row in read_rows(read_section(ROOT / "docs" / "production.md", "## 8. Watching")):
        told.update(code.partition("{")[0] for code in read_codes(row[0]))
    used = {name for rule in RULES for name in re.findall(r"\bflagrank_\w+", rule["expr"])}
    assert used <= told
