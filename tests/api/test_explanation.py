"""`POST /prediction?explain=true` over HTTP: what is answered adds up, and nobody has to wait for it."""

import json
import select
import threading
from collections.abc import Iterator
from math import log
from pathlib import Path
from typing import Any

import msgspec
import pytest

from flagrank.api.explaining import MOST_EXPLAINED
from flagrank.scoring.package import Background
from flagrank.settings import DEMO_MODEL
from flagrank.triage.feature_schema import Feature, FeatureSchema
from tests.api.problem_checks import check_problem
from tests.api.running_server import (
    JSON_TYPE,
    REPORT,
    Answer,
    RunningServer,
    read_answer,
    running_server,
    write_head,
)
from tests.packages import write_small_package


@pytest.fixture(scope="module")
def demo_server() -> Iterator[RunningServer]:
    """A server of the bundled model: trees."""
    with running_server("--model", str(DEMO_MODEL), "--no-worker") as running:
        yield running


def explain(server: RunningServer, reports: object) -> Answer:
    body = json.dumps(reports).encode()
    return server.ask("POST", "/prediction?explain=true", body, JSON_TYPE)


def make_reports(count: int) -> list[dict[str, object]]:
    return [
        REPORT
        | {
            "abuse_type": ("MSG", "PRF")[i % 2],
            "report_text_len": i * 37 % 3_000,
            "profile_rating": None if i % 5 == 0 else i % 51 / 10,
            "popularity": i % 6,
            "lifetime_matches_created": None if i % 3 else i * 1_001,
        }
        for i in range(count)
    ]


@pytest.mark.parametrize("name", ["server", "demo_server"])
def test_base_value_and_contributions_add_up_to_the_log_odds(
    name: str, request: pytest.FixtureRequest
) -> None:
    server: RunningServer = request.getfixturevalue(name)
    answer = explain(server, make_reports(40))
    assert answer.status == 200
    document = answer.document
    assert list(document) == ["model", "scores", "priorities", "ranking", "policy", "explanations"]
    assert len(document["explanations"]) == 40
    for score, explanation in zip(document["scores"], document["explanations"], strict=True):
        assert list(explanation) == ["base_value", "contributions", "sentence"]
        assert list(explanation["contributions"]) == [*REPORT, "lifetime_matches_created"]
        total = explanation["base_value"] + sum(explanation["contributions"].values())
        assert total == pytest.approx(log(score / (1 - score)), abs=1e-6)
        assert "likely" in explanation["sentence"]


def test_the_rest_of_the_answer_is_what_it_is_without(demo_server: RunningServer) -> None:
    reports = make_reports(10)
    explained = explain(demo_server, reports).document
    del explained["explanations"]
    assert explained == demo_server.predict(reports).document


def test_an_explanation_does_not_depend_on_the_batch(demo_server: RunningServer) -> None:
    reports = make_reports(30)
    together = explain(demo_server, reports).document["explanations"]
    backwards = explain(demo_server, reports[::-1]).document["explanations"]
    alone = [explain(demo_server, [report]).document["explanations"][0] for report in reports[:5]]
    assert backwards[::-1] == together
    assert alone == together[:5]


def test_while_scores_are_explained_heartbeats_and_predictions_are_answered(
    demo_server: RunningServer,
) -> None:
    reports = make_reports(500)
    answers: list[Answer] = []
    asking = threading.Thread(target=lambda: answers.append(explain(demo_server, reports)))
    asking.start()
    n_answered = 0
    while asking.is_alive():
        assert demo_server.get("/heartbeat").status == 200
        assert demo_server.predict([REPORT]).status == 200
        n_answered += 1
    asking.join()
    assert answers[0].status == 200
    assert n_answered > 10


def test_clients_that_hang_up_leave_their_room_to_others(demo_server: RunningServer) -> None:
    """One goes on; were the others explained, too, there would be no room until it has its answer."""
    body = json.dumps(make_reports(400)).encode()
    headers = JSON_TYPE | {"Host": demo_server.host, "Content-Length": str(len(body))}
    head = write_head("POST", "/prediction?explain=true", headers)
    with demo_server.connect() as patient:
        patient.sendall(head + body)
        for _ in range(MOST_EXPLAINED - 1):
            with demo_server.connect() as connection:
                connection.sendall(head + body)
        statuses = []
        while not select.select([patient], [], [], 0)[0]:
            statuses.append(explain(demo_server, make_reports(1)).status)
        assert read_answer(patient).status == 200
    assert 200 in statuses


@pytest.mark.parametrize(("count", "status"), [(3_906, 200), (3_907, 422)])
def test_what_takes_too_many_rows_of_the_model_is_refused(tmp_path: Path, count: int, status: int) -> None:
    """By API.md's count: reports x 64 x 2^features; the bound is that of three features."""
    schema = FeatureSchema(tuple(Feature(name, "number") for name in "abc"))
    background = Background(tuple((float(i), 1.0, 2.0) for i in range(64)))
    files = {"background.json": msgspec.json.encode(background)}
    write_small_package(tmp_path / "package", schema, files)
    with running_server("--model", str(tmp_path / "package"), "--no-worker") as server:
        answer = explain(server, [{"a": 1, "b": 1, "c": 2}] * count)
    assert answer.status == status
    if status == 422:
        assert "Send at most 3,906 reports." in check_problem(answer, 422, "explanation_refused")["detail"]
    else:
        assert answer.document["explanations"][0]["contributions"]["b"] == 0.0


@pytest.mark.parametrize(
    ("width", "changed", "said"),
    [
        (11, {}, "The model has 11 features"),
        (2, {"background.json": msgspec.json.encode(Background(()))}, "no background rows"),
    ],
)
def test_a_model_whose_scores_can_t_be_explained_says_so_and_scores(
    tmp_path: Path, width: int, changed: dict[str, bytes], said: str
) -> None:
    schema = FeatureSchema(tuple(Feature(f"x{i}", "number") for i in range(width)))
    write_small_package(tmp_path / "package", schema, changed)
    report = dict.fromkeys(schema.names, 1)
    with running_server("--model", str(tmp_path / "package"), "--no-worker") as server:
        problem = check_problem(explain(server, [report]), 422, "explanation_refused")
        assert said in problem["detail"]
        assert server.predict([report]).status == 200


def test_a_hostile_word_is_quoted_in_the_sentence(tmp_path: Path) -> None:
    schema = FeatureSchema(
        (
            Feature("word", "category", values=("a", "b"), open=True, description="word <b>sent</b>"),
            Feature("x", "number"),
        )
    )
    write_small_package(tmp_path / "package", schema)
    hostile: dict[str, Any] = {"word": '"), raised by \u202elove <script>alert(1)</script> and more', "x": 0}
    with running_server("--model", str(tmp_path / "package"), "--no-worker") as server:
        sentence = explain(server, [hostile]).document["explanations"][0]["sentence"]
    assert 'word <b>sent</b> ("\\"), raised by ?love <script>al…")' in sentence
    assert sentence.isprintable()
