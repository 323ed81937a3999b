"""Drift at /metrics of a real server: of what all its processes have scored, served and from the queue."""

import time
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from flagrank.settings import DEMO_MODEL
from flagrank.simulation.reports import simulate
from tests.api.running_server import RunningServer, running_server

Reports = Sequence[dict[str, Any]]


def make_reports(count: int, seed: int) -> list[dict[str, Any]]:
    """Some of a history like the one that the bundled model was trained on: few targets would be too few."""
    names = ("abuse_type", "report_text_len", "profile_rating", "popularity", "lifetime_matches_created")
    history = [
        dict(zip(names, row, strict=True))
        for batch in simulate(20_000, seed, 60.0)
        for row in zip(*(batch[name] for name in names), strict=True)
    ]
    return Random(seed).sample(history, count)  # noqa: S311 - the same ones each time


def serve_now(server: RunningServer, reports: Reports) -> None:
    for start in range(0, len(reports), 50):
        assert server.predict(reports[start : start + 50]).status == 200


def score_later(server: RunningServer, reports: Reports) -> None:
    location = server.submit(reports).headers["Location"]
    assert server.get(f"{location}?wait=30").document["status"] == "succeeded"


@pytest.fixture(params=[serve_now, score_later])
def score(request: pytest.FixtureRequest) -> Callable[[RunningServer, Reports], None]:
    """A way to have reports scored."""
    way: Callable[[RunningServer, Reports], None] = request.param
    return way


@pytest.fixture
def server() -> Iterator[RunningServer]:
    """A server of two processes and a worker."""
    with running_server("--model", str(DEMO_MODEL), "--processes", "2") as running:
        yield running


def scrape(server: RunningServer, reports: int) -> dict[tuple[str, str], float]:
    """The last hour's drift by metric and feature, once so many reports are counted."""
    give_up_at = time.monotonic() + 20
    while True:
        found = {
            (sample.name, sample.labels.get("feature", "")): sample.value
            for family in text_string_to_metric_families(server.get("/metrics").body.decode())
            for sample in family.samples
            if sample.name.startswith("flagrank_drift") and sample.labels.get("window") == "1h"
        }
        if found["flagrank_drift_reports", ""] == reports:
            return found
        assert time.monotonic() < give_up_at, found
        time.sleep(0.2)


def test_reports_like_those_of_training_are_no_drift_and_others_are(
    server: RunningServer, score: Callable[[RunningServer, Reports], None]
) -> None:
    reports = make_reports(600, seed=77)
    score(server, reports)
    usual = scrape(server, 600)
    indices = {key: value for key, value in usual.items() if key[0].endswith("_psi")}
    assert len(indices) == 6
    assert max(indices.values()) < 0.1
    assert usual["flagrank_drift_missing_share", "profile_rating"] == pytest.approx(0.105, abs=0.05)
    score(server, [report | {"profile_rating": None, "popularity": 0.1} for report in reports])
    shifted = scrape(server, 1_200)
    assert shifted["flagrank_drift_psi", "popularity"] > 0.25
    assert shifted["flagrank_drift_psi", "report_text_len"] < 0.1
    assert shifted["flagrank_drift_missing_share", "profile_rating"] > 0.5
    assert shifted["flagrank_drift_score_psi", ""] > 0.25
