"""`POST /predict` over HTTP: what is accepted, answered again, and refused by query and headers."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.api.problem_checks import check_problem
from tests.api.running_server import JSON_TYPE, REPORT, RunningServer, running_server

UUID7 = r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"
PATIENCE = "?wait=30"


def test_an_accepted_task_is_scored_as_prediction_does(server: RunningServer) -> None:
    reports = [REPORT | {"report_id": "a", "report_text_len": 90}, REPORT | {"reason": "hate"}]
    now = server.predict(reports).document
    accepted = server.submit(reports)
    assert accepted.status == 202
    body = accepted.document
    assert list(body) == ["task_id", "status", "n_reports", "submitted_at", "run_at"]
    assert re.fullmatch(UUID7, body["task_id"])
    assert re.fullmatch(TIME, body["submitted_at"])
    assert (body["status"], body["n_reports"], body["run_at"]) == ("queued", 2, None)
    assert accepted.headers["Location"] == f"/task/{body['task_id']}"
    task = server.get(accepted.headers["Location"] + PATIENCE).document
    assert task["status"] == "succeeded"
    assert {name: task[name] for name in ("scores", "priorities", "model")} == {
        name: now[name] for name in ("scores", "priorities", "model")
    }
    assert task["report_ids"][0] == "a"
    assert re.fullmatch(UUID7, task["report_ids"][1])
    assert task["attempts"] == 1
    assert task["submitted_at"] <= task["started_at"] <= task["finished_at"]
    assert task["error"] is None


def test_ten_thousand_reports_are_one_task(server: RunningServer) -> None:
    reports = [REPORT | {"report_text_len": number} for number in range(10_000)]
    task = server.get(server.submit(reports).headers["Location"] + PATIENCE).document
    assert task["scores"] == server.predict(reports).document["scores"]
    assert len(set(task["report_ids"])) == len(reports)
    assert task["report_ids"] == sorted(task["report_ids"])


@pytest.mark.parametrize(
    "headers", [{}, {"Content-Type": "text/plain"}, JSON_TYPE], ids=["none", "text", "json"]
)
def test_without_body_query_and_key_the_tasks_are_listed(
    idle_server: RunningServer, headers: dict[str, str]
) -> None:
    idle_server.submit([REPORT])
    listed = idle_server.ask("POST", "/predict", b"", headers)
    assert listed.status == 200
    assert listed.document == idle_server.get("/task").document


def test_an_empty_chunked_body_is_none(idle_server: RunningServer) -> None:
    chunked = {**JSON_TYPE, "Transfer-Encoding": "chunked"}
    head = "".join(f"{name}: {value}\r\n" for name, value in {"Host": idle_server.host, **chunked}.items())
    answer = idle_server.send(f"POST /predict HTTP/1.1\r\n{head}\r\n0\r\n\r\n".encode())
    assert "tasks" in answer.document


@pytest.mark.parametrize(
    ("query", "headers"),
    [("?priority=high", {}), ("", {"Idempotency-Key": "a"})],
    ids=["a query", "a key"],
)
def test_a_query_or_a_key_without_a_body_is_refused(
    idle_server: RunningServer, query: str, headers: dict[str, str]
) -> None:
    check_problem(idle_server.submit(b"", query, headers), 400, "malformed_body")


def test_a_scheduled_task_waits_for_its_time(server: RunningServer) -> None:
    accepted = server.submit([REPORT], "?run_at=2099-01-05T10:00:00%2B01:00").document
    assert (accepted["status"], accepted["run_at"]) == ("scheduled", "2099-01-05T09:00:00Z")
    assert server.get(f"/task/{accepted['task_id']}").document["status"] == "scheduled"


def test_a_time_in_the_past_is_now(server: RunningServer) -> None:
    accepted = server.submit([REPORT], "?run_at=2020-01-05T10:00:00Z").document
    assert (accepted["status"], accepted["run_at"]) == ("queued", "2020-01-05T10:00:00Z")
    assert server.get(f"/task/{accepted['task_id']}{PATIENCE}").document["status"] == "succeeded"


@pytest.mark.parametrize("priority", ["high", "normal", "low"])
def test_a_task_keeps_its_priority(idle_server: RunningServer, priority: str) -> None:
    task_id = idle_server.submit([REPORT], f"?priority={priority}&enqueue=false").document["task_id"]
    assert idle_server.get(f"/task/{task_id}").document["priority"] == priority


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("run_at", "tomorrow"),
        ("run_at", ""),
        ("run_at", "2027-01-05"),
        ("run_at", "2027-01-05T10:00:00"),
        ("run_at", "2027-02-30T10:00:00Z"),
        ("run_at", "2027-01-05T24:00:00Z"),
        ("run_at", "2027-01-05 10:00:00Z"),
        ("run_at", "1767225600"),
        ("run_at", "\ud800".encode("utf-8", "surrogatepass")),
        ("run_at", "\0"),
        ("priority", "urgent"),
        ("priority", "High"),
        ("priority", ""),
        ("enqueue", "no"),
        ("enqueue", "False"),
    ],
)
def test_a_bad_query_value_is_refused_by_name(
    idle_server: RunningServer, name: str, value: str | bytes
) -> None:
    problem = check_problem(idle_server.submit([REPORT], f"?{name}={quote(value)}"), 422, "invalid_query")
    if isinstance(value, str):
        assert [error["path"] for error in problem["errors"]] == [f"query.{name}"]
        assert f"query.{name}" in problem["detail"]


def test_an_unescaped_plus_is_explained(idle_server: RunningServer) -> None:
    answer = idle_server.submit([REPORT], "?run_at=2027-01-05T10:00:00+01:00")
    assert "%2B" in check_problem(answer, 422, "invalid_query")["detail"]


@pytest.mark.parametrize(
    "query", ["?run_att=2027-01-05T10:00:00Z", "?priority=low&priority=high", "?priority"]
)
def test_a_query_that_is_not_understood_is_refused(idle_server: RunningServer, query: str) -> None:
    check_problem(idle_server.submit([REPORT], query), 422, "invalid_query")


@pytest.mark.parametrize("key", ["x" * 129, "a\tb", "r\u00e9sum\u00e9"])
def test_a_bad_idempotency_key_is_refused(idle_server: RunningServer, key: str) -> None:
    problem = check_problem(
        idle_server.submit([REPORT], headers={"Idempotency-Key": key}), 422, "invalid_header"
    )
    assert problem["errors"][0]["path"] == "header.Idempotency-Key"


def test_two_idempotency_keys_are_refused(idle_server: RunningServer) -> None:
    head = f"POST /predict HTTP/1.1\r\nHost: {idle_server.host}\r\nContent-Type: application/json\r\n"
    head += "Idempotency-Key: a\r\nIdempotency-Key: b\r\nContent-Length: 2\r\n\r\n[]"
    check_problem(idle_server.send(head.encode()), 400, "repeated_header")


@pytest.mark.parametrize("key", ["one more time", "x" * 128, 'with spaces and ~!"#'])
def test_the_same_request_again_is_the_same_task(server: RunningServer, key: str) -> None:
    headers = {"Idempotency-Key": key}
    first = server.submit([REPORT], "?priority=low", headers)
    server.get(first.headers["Location"] + PATIENCE)
    again = server.submit([REPORT], "?priority=low", headers)
    assert (first.status, again.status) == (202, 200)
    assert again.headers["Location"] == first.headers["Location"]
    assert again.document == first.document | {"status": "succeeded"}
    check_problem(server.submit([REPORT, REPORT], "?priority=low", headers), 409, "idempotency_conflict")
    check_problem(server.submit([REPORT], "?priority=high", headers), 409, "idempotency_conflict")
    check_problem(server.submit([REPORT], "", headers), 409, "idempotency_conflict")


def test_fifty_clients_with_one_key_make_one_task(server: RunningServer) -> None:
    before = sum(server.get("/task").document["counts"].values())
    headers = {"Idempotency-Key": "of fifty"}
    with ThreadPoolExecutor(50) as clients:
        answers = list(clients.map(lambda _: server.submit([REPORT], headers=headers), range(50)))
    assert sorted(answer.status for answer in answers) == [200] * 49 + [202]
    assert len({answer.document["task_id"] for answer in answers}) == 1
    assert sum(server.get("/task").document["counts"].values()) == before + 1


def test_no_more_tasks_wait_than_the_setting_allows(package: Path) -> None:
    with running_server("--model", str(package), "--no-worker", backlog_tasks=3) as server:
        answers = [server.submit([REPORT]) for _ in range(5)]
        assert [answer.status for answer in answers] == [202, 202, 202, 503, 503]
        check_problem(answers[-1], 503, "backlog_full")
        assert int(answers[-1].headers["Retry-After"]) > 0
        assert server.get("/task").document["counts"]["queued"] == 3
        assert server.predict([REPORT]).status == 200
        assert server.get("/readyz").status == 200


def test_a_disk_that_is_nearly_full_takes_no_task(package: Path) -> None:
    with running_server("--model", str(package), "--no-worker", least_free_bytes=2**50) as server:
        answer = server.submit([REPORT])
        check_problem(answer, 503, "backlog_full")
        assert answer.headers["Retry-After"]
        assert "disk" in check_problem(server.get("/readyz"), 503, "not_ready")["detail"]
        assert server.predict([REPORT]).status == 200


def test_without_a_model_nothing_is_taken_in() -> None:
    with running_server() as server:
        check_problem(server.submit([REPORT]), 503, "no_model")
        assert server.get("/task").document["tasks"] == []
