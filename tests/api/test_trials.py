"""A challenger takes its share and no more, always of the same people; a shadow is heard by nobody."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.api.model_server import Models, wait_until
from tests.api.problem_checks import check_problem
from tests.api.running_server import JSON_TYPE, REPORT, running_server
from tests.api.test_models import wider_schema
from tests.contracts.test_scorer import make_picky_graph
from tests.hostile.graphs import (
    FIRST,
    build_greedy_for_long_texts,
    build_scores,
    build_slow_for_long_texts,
    node,
)
from tests.packages import golden_of, zip_small_package

PEOPLE = 2_000
# Of so many draws with a chance of .3, all but one in a billion lie within six standard deviations.
SHARE, SPREAD = 0.3, 6 * (0.3 * 0.7 / PEOPLE) ** 0.5
LONG = REPORT | {"report_text_len": 900_000}

OTHER = golden_of(build_scores(node("Neg", [FIRST], ["negative"]), last="negative"))


@pytest.fixture(scope="module")
def trial(package: Path) -> Iterator[Models]:
    """A champion and a challenger that scores otherwise."""
    with running_server("--model", str(package)) as server:
        models = Models(server)
        version = models.publish_new("challenger", OTHER)
        assert models.give_role(version, role="challenger", share=SHARE).document["share"] == SHARE
        wait_until(lambda: "challenger" in models.predict(people(50)))
        yield models


def people(count: int, field: str = "reported_id", **more: object) -> list[dict[str, Any]]:
    return [REPORT | {"abuse_type": "PRF", field: f"person {number}", **more} for number in range(count)]


def taken(models: Models, reports: list[dict[str, Any]]) -> set[int]:
    """The indices that the challenger took."""
    return set(models.predict(reports).get("challenger", {"reports": ()})["reports"])


def test_its_share_is_what_was_set(trial: Models) -> None:
    assert abs(len(taken(trial, people(PEOPLE))) / PEOPLE - SHARE) < SPREAD


@pytest.mark.parametrize("field", ["reported_id", "content_id", "report_id"])
def test_it_is_the_same_people_whatever_else_is_in_the_request(trial: Models, field: str) -> None:
    reports = people(200, field)
    first = taken(trial, reports)
    assert taken(trial, reports) == first
    assert taken(trial, list(reversed(reports))) == {199 - index for index in first}
    alone = {index for index, report in enumerate(reports[:40]) if taken(trial, [report])}
    assert alone == {index for index in first if index < 40}


def test_who_is_reported_decides_then_the_content_then_the_report(trial: Models) -> None:
    ids = {"content_id": "c", "report_id": "r"}
    by_reported = taken(trial, people(200))
    assert taken(trial, people(200, **ids)) == by_reported
    assert taken(trial, people(200, "content_id", report_id="r")) == by_reported  # the same key, elsewhere
    assert len(taken(trial, people(200, "report_id", content_id="c"))) in {0, 200}


def test_without_ids_the_features_decide(trial: Models) -> None:
    reports = [REPORT | {"report_text_len": number} for number in range(PEOPLE)]
    first = taken(trial, reports)
    assert abs(len(first) / PEOPLE - SHARE) < SPREAD
    assert (
        taken(trial, [report | {"reason": "spam", "lifetime_matches_created": None} for report in reports])
        == first
    )
    assert len(taken(trial, [REPORT] * 200)) in {0, 200}


def test_the_answer_says_which_reports_it_scored_and_has_its_scores(trial: Models) -> None:
    answer = trial.predict(people(300))
    part = answer["challenger"]
    assert list(part) == ["name", "version", "reports"]
    assert (part["name"], part["version"]) == ("small", "2")
    assert answer["model"] == {"name": "small", "version": "1"}
    assert part["reports"] == sorted(set(part["reports"]))
    by_model: dict[bool, set[float]] = {True: set(), False: set()}
    for index, score in enumerate(answer["scores"]):
        by_model[index in part["reports"]].add(score)
    assert [len(scores) for scores in by_model.values()] == [1, 1]
    assert not by_model[True] & by_model[False]
    assert sorted(answer["ranking"]) == list(range(300))
    assert "challenger" not in trial.predict(people(300)[: min(part["reports"])])


@pytest.mark.parametrize("count", [1, 100, 3_000])
def test_a_task_is_scored_as_a_request_is(trial: Models, count: int) -> None:
    reports = people(count)
    now = trial.predict(reports)
    location = trial.server.submit(reports).headers["Location"]
    task = trial.server.get(f"{location}?wait=30").document
    for name in ("model", "scores", "priorities"):
        assert task[name] == now[name]
    assert task.get("challenger") == now.get("challenger")
    listed = trial.server.get("/task?limit=1").document["tasks"][0]
    assert "challenger" not in listed


def is_larger(models: Models, before: set[int]) -> bool:
    now = taken(models, people(500))
    assert before <= now
    return before < now


def test_a_larger_share_keeps_those_it_had_and_none_has_nobody(package: Path) -> None:
    with running_server("--model", str(package), "--no-worker") as server:
        models = Models(server)
        version = models.publish_new("challenger", OTHER)
        seen: set[int] = set()
        for share in (0.1, 0.4, 1.0):
            models.give_role(version, role="challenger", share=share)
            wait_until(partial(is_larger, models, seen))
            seen = taken(models, people(500))
        assert seen == set(range(500))
        models.give_role(version, role="none")
        wait_until(lambda: "challenger" not in models.predict(people(500)))


def test_a_challenger_is_sticky_over_a_restart(package: Path, tmp_path: Path) -> None:
    with running_server("--model", str(package), "--no-worker", data_dir=tmp_path) as server:
        models = Models(server)
        models.give_role(models.publish_new("challenger", OTHER), role="challenger", share=0.5)
        wait_until(lambda: bool(taken(models, people(50))))
        before = taken(models, people(500))
    with running_server("--no-worker", "--processes", "2", data_dir=tmp_path) as server:
        models = Models(server)
        assert all(taken(models, people(500)) == before for _ in range(20))


def test_a_challenger_takes_nothing_that_lacks_what_it_needs(package: Path) -> None:
    with running_server("--model", str(package)) as server:
        models = Models(server)
        version = models.publish(zip_small_package(schema=wider_schema())).document["version"]
        models.give_role(version, role="challenger", share=1)
        wait_until(lambda: b'flagrank_model_refused{role="challenger"} 1' in server.get("/metrics").body)
        answer = models.predict(people(200))
        assert "challenger" not in answer
        assert answer["model"]["version"] == "1"
        location = server.submit(people(200)).headers["Location"]
        task = server.get(f"{location}?wait=30").document
        assert (task["status"], "challenger" in task) == ("succeeded", False)


def test_what_the_challenger_fails_on_the_champion_scores(package: Path) -> None:
    with running_server("--model", str(package)) as server:
        models = Models(server)
        alone = models.predict([LONG, *people(20)])["scores"]
        version = models.publish_new("picky", golden_of(make_picky_graph()))
        models.give_role(version, role="challenger", share=1)
        wait_until(lambda: bool(taken(models, [REPORT])))
        answer = models.predict([LONG])
        assert ("challenger" in answer, answer["scores"]) == (False, alone[:1])
        location = server.submit([LONG]).headers["Location"]
        task = server.get(f"{location}?wait=30").document
        assert (task["status"], task["scores"], "challenger" in task) == ("succeeded", alone[:1], False)
        assert len(taken(models, people(20))) == 20


def test_an_explanation_is_of_the_model_that_scored(trial: Models) -> None:
    answer = trial.server.ask(
        "POST",
        "/prediction?explain=true",
        json.dumps(people(20)).encode(),
        JSON_TYPE,
    ).document
    by_model = Counter(
        (index in answer["challenger"]["reports"], round(explained["base_value"], 6))
        for index, explained in enumerate(answer["explanations"])
    )
    assert len(by_model) == 2


# Shadows


def test_a_shadow_is_heard_by_nobody_and_logged(package: Path) -> None:
    with running_server("--model", str(package)) as server:
        models = Models(server)
        before = models.predict(people(30))
        version = models.publish_new("shadow", OTHER)
        models.give_role(version, role="shadow")
        end = time.monotonic() + 30
        while (summary := models.show(version).document["shadow"]) is None or summary["reports"] < 10:
            assert models.predict(people(30)) == before
            assert time.monotonic() < end
            time.sleep(0.1)
        assert summary["champion_version"] == 1
        (score,) = {round(score, 9) for score in before["scores"]}
        assert summary["mean_difference"] == pytest.approx(1 / (1 + 2.718281828459045) - score, abs=1e-6)
        assert summary["rank_correlation"] is None
        models.give_role(version, role="none")
        assert models.delete(version).status == 204


def test_tasks_are_heard_by_a_shadow_too(package: Path) -> None:
    with running_server("--model", str(package)) as server:
        models = Models(server)
        version = models.publish_new("shadow", OTHER)
        models.give_role(version, role="shadow")
        end = time.monotonic() + 30
        while models.show(version).document["shadow"] is None:
            location = server.submit(people(30)).headers["Location"]
            assert server.get(f"{location}?wait=30").document["status"] == "succeeded"
            assert time.monotonic() < end
            time.sleep(0.1)


@pytest.mark.parametrize("build", [build_greedy_for_long_texts, build_slow_for_long_texts])
def test_a_shadow_that_fails_or_dawdles_harms_nobody(package: Path, build: Any) -> None:  # noqa: ANN401
    with running_server("--model", str(package), "--no-worker") as server:
        models = Models(server)
        before = models.predict([LONG])
        version = models.publish_new("shadow", golden_of(build()))
        models.give_role(version, role="shadow")
        slowest = 0.0
        end = time.monotonic() + 60
        while b'flagrank_shadow_reports_total{result="failed"}' not in server.get("/metrics").body:
            begin = time.monotonic()
            assert models.predict([LONG]) == before
            slowest = max(slowest, time.monotonic() - begin)
            assert time.monotonic() < end
        assert slowest < 4  # the shadow has five seconds
        assert server.read_memory() < 400 * 2**20
        check_problem(models.delete(version), 409, "model_conflict")
