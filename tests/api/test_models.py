"""`/model`: publishing, promoting, rolling back, roles and deletion; refused losses."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from flagrank.triage.feature_schema import FeatureSchema, parse_schema
from flagrank.triage.report import CONTEXT_FIELDS
from tests.api.model_server import ZIP, Models
from tests.api.problem_checks import check_problem
from tests.api.running_server import REPORT, running_server
from tests.api.test_keys import make_key
from tests.api.test_processes import DEFAULT, EXTRA
from tests.packages import held_out, write_small_package, zip_small_package

FIELDS = ["name", "version", "role", "share", "sha256", "published_at", "metrics"]
ROWS, POSITIVES = 600, 120
LABELS = [1] * POSITIVES + [0] * (ROWS - POSITIVES)


@pytest.fixture
def models(package: Path) -> Iterator[Models]:
    """A server of its own whose champion is version 1."""
    with running_server("--model", str(package)) as server:
        yield Models(server)


@pytest.fixture(scope="module")
def steady(package: Path) -> Iterator[Models]:
    """A server for requests that change nothing."""
    with running_server("--model", str(package), "--no-worker") as server:
        yield Models(server)


# Publishing, listing


def test_a_package_is_published_once(models: Models) -> None:
    content = zip_small_package({"notes.txt": b"new"})
    answer = models.publish(content)
    assert answer.status == 201
    assert list(answer.document) == FIELDS
    assert (answer.document["name"], answer.document["version"], answer.document["role"]) == (
        "small",
        2,
        "none",
    )
    assert answer.headers["Location"] == "/model/2"
    again = models.publish(content)
    assert (again.status, again.document) == (200, answer.document)
    assert [model["version"] for model in models.list()] == [2, 1]
    assert models.list()[0] == answer.document
    shown = models.show(2).document
    assert list(shown) == [*FIELDS, "history", "shadow"]
    assert [(one["action"], one["actor"]) for one in shown["history"]] == [("model.publish", "local")]


@pytest.mark.parametrize(
    "kind", ["application/x-zip-compressed", "application/octet-stream", "Application/Zip"]
)
def test_a_zip_may_be_called_otherwise(steady: Models, kind: str) -> None:
    content = zip_small_package()
    answer = steady.server.ask("POST", "/model", content, {"Content-Type": kind})
    assert (answer.status, answer.document["version"]) == (200, 1)


# Promoting, rolling back, roles, deletion


def test_the_life_of_a_model(models: Models) -> None:
    second, third = models.publish_new("second"), models.publish_new("third")
    answer = models.promote(second, reason="try it")
    assert answer.status == 200
    assert list(answer.document) == [*FIELDS, "gate"]
    assert answer.document["role"] == "champion"
    assert "Nothing could be compared with version 1" in answer.document["gate"]["sentence"]
    models.wait_for(second)
    assert models.promote(third).status == 200
    models.wait_for(third)
    for before in (second, 1):
        answer = models.post("/rollback", {"reason": "worse"})
        assert (answer.status, answer.document["version"], answer.document["role"]) == (
            200,
            before,
            "champion",
        )
        models.wait_for(before)
    assert "no champion before" in check_problem(models.post("/rollback"), 409, "model_conflict")["detail"]
    history = models.show(second).document["history"]
    assert [(one["action"], one["reason"]) for one in history] == [
        ("model.publish", None),
        ("model.promote", "try it"),
        ("model.promote", None),
        ("model.rollback", "worse"),
        ("model.rollback", "worse"),
    ]
    assert models.delete(third).status == 204
    check_problem(models.show(third), 404, "model_not_found")
    check_problem(models.delete(third), 404, "model_not_found")
    assert models.publish_new("fourth") == 4


def test_what_is_in_use_is_not_deleted(models: Models) -> None:
    second, third, fourth = (models.publish_new(name) for name in ("a", "b", "c"))
    models.promote(second)
    models.give_role(third, role="challenger")
    models.give_role(fourth, role="shadow")
    for version, word in ((1, "rollback"), (second, "champion"), (third, "challenger"), (fourth, "shadow")):
        assert word in check_problem(models.delete(version), 409, "model_conflict")["detail"]
    check_problem(models.give_role(second, role="none"), 409, "model_conflict")
    assert models.roles() == {second: "champion", third: "challenger", fourth: "shadow"}
    for version in (third, fourth):
        assert models.give_role(version, role="none").status == 200
        answer = models.delete(version)
        assert (answer.status, answer.body, answer.headers["Content-Length"]) == (204, b"", None)


def test_a_promotion_answers_while_requests_go_on(models: Models) -> None:
    """The server that inspects a package goes on answering."""
    version = models.publish_new("a")
    assert models.promote(version).status == 200
    models.wait_for(version)


# The gate


def scores(spread: float, seed: int) -> list[float]:
    """Scores that tell positives and negatives apart the worse the larger the spread."""
    noise = np.random.default_rng(seed).normal(scale=spread, size=ROWS)
    scored: list[float] = (1 / (1 + np.exp(-(np.array(LABELS) + noise)))).tolist()
    return scored


def test_a_clear_loss_is_refused_unless_forced_with_a_reason(models: Models) -> None:
    good = models.publish_new("good", held_out(scores(0.8, 1), LABELS))
    alike = models.publish_new("alike", held_out(scores(0.8, 2), LABELS))
    worse = models.publish_new("worse", held_out(scores(3.0, 3), LABELS))
    models.promote(good)
    before = models.list()
    problem = check_problem(models.promote(worse), 409, "gate_refused")
    assert (
        f"Version {worse} is not promoted. It is clearly worse than version {good}: roc_auc -"
        in problem["detail"]
    )
    check_problem(models.promote(worse, force=True), 422, "change_refused")
    assert models.list() == before
    gate = models.promote(alike).document["gate"]
    assert (gate["verdict"], gate["rows"], gate["positives"]) == ("alike", ROWS, POSITIVES)
    assert gate["low"] < gate["difference"] < gate["high"]
    forced = models.promote(worse, force=True, reason="it knows the new fields")
    assert (forced.status, forced.document["gate"]["verdict"]) == (200, "worse")
    entry = models.show(worse).document["history"][-1]
    assert entry["reason"] == "it knows the new fields"
    assert "clearly worse" in entry["after"]["finding"]


def wider_schema(text: str = EXTRA) -> FeatureSchema:
    return parse_schema(text + DEFAULT.read_text(), "wider", CONTEXT_FIELDS)


def narrower_schema() -> FeatureSchema:
    return parse_schema(DEFAULT.read_text().replace('["MSG", "PRF"]', '["MSG"]'), "narrower", CONTEXT_FIELDS)


@pytest.mark.parametrize("schema", [wider_schema(), narrower_schema()], ids=["lacking", "refusing"])
def test_a_schema_that_does_not_fit_is_refused_forced_or_not(models: Models, schema: FeatureSchema) -> None:
    version = models.publish(zip_small_package(schema=schema)).document["version"]
    before = models.list()
    for body in ({}, {"force": True, "reason": "I insist"}):
        check_problem(models.promote(version, **body), 409, "schema_refused")
    assert models.list() == before
    assert models.predict([REPORT | {"abuse_type": "PRF"}])["model"]["version"] == "1"


def test_a_schema_file_decides_what_fits(package: Path, tmp_path: Path) -> None:
    file = tmp_path / "wider.toml"
    file.write_text(
        EXTRA.replace('type = "category"', 'type = "category"\noptional = true') + DEFAULT.read_text()
    )
    with running_server("--model", str(package), "--schema", str(file), "--no-worker") as server:
        models = Models(server)
        schema = parse_schema(file.read_text(), "wider", CONTEXT_FIELDS)
        version = models.publish(zip_small_package(schema=schema)).document["version"]
        assert models.promote(version).status == 200
        models.wait_for(version)
        assert server.predict([REPORT | {"team": "a"}]).status == 200
        models.post("/rollback")
        models.wait_for(1)
        assert server.predict([REPORT | {"team": "a"}]).status == 200


# Keys


def test_changing_models_needs_the_scope_and_is_noted_with_the_keys_name(
    package: Path, tmp_path: Path
) -> None:
    key, other = make_key(tmp_path, "data-science", "models"), make_key(tmp_path, "app", "score,tasks")
    with running_server("--model", str(package), "--no-worker", data_dir=tmp_path) as server:
        models, stranger = Models(server, key), Models(server, other)
        version = models.publish_new("a")
        assert models.give_role(version, role="shadow").status == 200
        for answer in (
            server.get("/model", other),
            stranger.publish(zip_small_package()),
            stranger.promote(version),
            stranger.post("/rollback"),
            stranger.give_role(version, role="none"),
            stranger.show(version),
            stranger.delete(version),
        ):
            check_problem(answer, 403, "scope_missing")
        check_problem(server.get("/model"), 401, "no_key")
        check_problem(server.predict([REPORT], key), 403, "scope_missing")
        history = models.show(version).document["history"]
        assert [one["actor"] for one in history] == ["key:data-science"] * 2
        assert models.show(1).document["history"][0]["actor"].startswith("user:")


def test_a_page_of_another_site_publishes_nothing(steady: Models) -> None:
    content = zip_small_package({"notes.txt": b"evil"})
    answer = steady.server.ask("POST", "/model", content, ZIP | {"Origin": "https://evil.example"})
    check_problem(answer, 403, "foreign_origin")
    assert len(steady.list()) == 1


def test_the_package_on_disk_and_its_zip_are_one_version(models: Models, tmp_path: Path) -> None:
    write_small_package(tmp_path / "same", changed={"notes.txt": b"same"})
    content = zip_small_package({"notes.txt": b"same"})
    version = models.publish(content).document["version"]
    with running_server("--model", str(tmp_path / "same"), "--no-worker", data_dir=tmp_path / "d") as server:
        other = Models(server).list()[0]
    assert models.show(version).document["sha256"] == other["sha256"]
