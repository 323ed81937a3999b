"""`/policy`: showing, activating, and that everything ranks by it soon after, with no restart."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from flagrank.service.store import FILE
from flagrank.settings import read_default_policy
from flagrank.triage.policy_file import MAX_POLICY_BYTES, MAX_POLICY_CHARS
from tests.api.problem_checks import check_problem
from tests.api.running_server import REPORT, Answer, RunningServer, running_server
from tests.api.test_keys import make_key
from tests.cli.running import read_json, run

DEFAULT = read_default_policy()
NIGHT = DEFAULT.replace('"default"', '"night"').replace("spam = 1\n", "spam = 8\nrudeness = 3\n")
SECONDS = 2.0  # until every process ranks by it


@pytest.fixture
def own(package: Path) -> Iterator[RunningServer]:
    """A server of its own: its policy changes."""
    with running_server("--model", str(package)) as server:
        yield server


def put(server: RunningServer, body: str | bytes, kind: str = "application/toml", **headers: str) -> Answer:
    content = body if isinstance(body, bytes) else body.encode()
    return server.ask("PUT", "/policy", content, {"Content-Type": kind, **headers})


def activate(server: RunningServer, toml: str) -> str:
    answer = put(server, toml)
    assert answer.status == 200, answer.body
    label: str = answer.document["policy"]
    assert answer.document == {"policy": label}
    return label


def wait_until(holds: Callable[[], bool]) -> None:
    give_up = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < give_up
        time.sleep(0.05)


def predict(server: RunningServer, **told: object) -> dict[str, Any]:
    document: dict[str, Any] = server.predict([REPORT | told]).document
    return document


def test_the_built_in_policy_is_shown(server: RunningServer) -> None:
    answer = server.get("/policy")
    assert answer.status == 200
    built_in = {"policy": "default@1", "version": 1, "activated_at": None, "activated_by": None}
    assert answer.document == {**built_in, "toml": DEFAULT, "versions": [built_in]}


@pytest.mark.parametrize("accept", ["application/toml", "Application/TOML, */*;q=0.1"])
def test_the_toml_is_shown_alone_where_it_is_asked_for(server: RunningServer, accept: str) -> None:
    answer = server.ask("GET", "/policy", headers={"Accept": accept})
    assert (answer.headers["Content-Type"], answer.body.decode()) == ("application/toml", DEFAULT)


def test_what_is_activated_ranks_within_two_seconds(own: RunningServer) -> None:
    before = predict(own, reason="spam")
    check_problem(own.predict([REPORT | {"reason": "rudeness"}]), 422, "invalid_reports")
    assert activate(own, NIGHT) == "night@2"
    wait_until(lambda: predict(own)["policy"] == "night@2")
    after = predict(own, reason="spam")
    assert after["scores"] == before["scores"]
    assert after["priorities"] == [8 * before["priorities"][0]]
    assert predict(own, reason="rudeness")["priorities"] == pytest.approx([3 * before["priorities"][0]])
    document = own.get("/openapi.json").document
    assert "rudeness" in document["components"]["schemas"]["Report"]["properties"]["reason"]["enum"]


def test_tasks_follow_it_too(own: RunningServer) -> None:
    activate(own, NIGHT)
    wait_until(lambda: predict(own)["policy"] == "night@2")
    expected = predict(own, reason="rudeness")["priorities"]
    time.sleep(1)  # the worker is another process
    task_id = own.submit([REPORT | {"reason": "rudeness"}]).document["task_id"]
    task = own.get(f"/task/{task_id}?wait=20").document
    assert task["priorities"] == expected


def test_what_was_activated_is_shown_with_those_before(own: RunningServer) -> None:
    activate(own, NIGHT)
    shown = own.get("/policy").document
    assert (shown["policy"], shown["version"], shown["activated_by"]) == ("night@2", 2, "local")
    assert shown["toml"] == NIGHT
    assert [one["policy"] for one in shown["versions"]] == ["night@2", "default@1"]
    assert {name: shown[name] for name in shown["versions"][0]} == shown["versions"][0]
    before = own.get("/policy?version=1").document
    assert (before["policy"], before["toml"]) == ("default@1", DEFAULT)
    assert activate(own, before["toml"]) == "default@1"
    assert own.get("/policy").document["policy"] == "default@1"


def test_the_active_policy_again_is_no_change(own: RunningServer) -> None:
    assert activate(own, DEFAULT) == "default@1"
    assert activate(own, NIGHT) == activate(own, NIGHT) == "night@2"


@pytest.mark.parametrize("kind", ["text/plain;charset=utf-8", "application/octet-stream", "Application/TOML"])
def test_toml_may_be_called_otherwise(server: RunningServer, kind: str) -> None:
    assert put(server, DEFAULT, kind).document == {"policy": "default@1"}


def test_a_mark_at_the_beginning_is_no_part_of_it(server: RunningServer) -> None:
    assert put(server, b"\xef\xbb\xbf" + DEFAULT.encode()).document == {"policy": "default@1"}


def test_every_bad_place_is_named_and_nothing_is_activated(server: RunningServer) -> None:
    bad = DEFAULT.replace("spam = 1\n", "spam = 0\n").replace("power = 0.7", 'power = "high"')
    problem = check_problem(put(server, bad), 422, "policy_refused")
    assert [one["path"] for one in problem["errors"]] == ["severities.spam", "exposure.power"]
    assert problem["errors"][0]["detail"] == (
        "The policy: severities.spam is 0; expected a number over 0 and at most 1,000. Change it."
    )
    assert server.get("/policy").document["policy"] == "default@1"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "The policy: name is missing"),
        (b"a =", "The policy is no TOML: Invalid value"),
        (b"a = \xff", "The policy is no TOML: byte 4 is not UTF-8"),
        (b"#" * (MAX_POLICY_CHARS + 1), "The policy has 100,001 characters; expected at most 100,000."),
        (b'"\\u0000" = 1', "is no key of a policy"),
        (b'name = "\\u0000"', "is missing"),
    ],
)
def test_what_is_no_policy_is_refused(server: RunningServer, body: bytes, said: str) -> None:
    assert said in check_problem(put(server, body), 422, "policy_refused")["detail"]


def test_a_body_far_too_long_is_refused_unread(server: RunningServer) -> None:
    problem = check_problem(put(server, b"#" * (MAX_POLICY_BYTES + 1)), 413, "body_too_large")
    assert "A policy has at most 100,000 characters." in problem["detail"]


@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded", ""])
def test_a_body_is_read_as_toml_whatever_a_program_calls_it(server: RunningServer, kind: str) -> None:
    assert put(server, DEFAULT, kind).status == 200
    assert "is no TOML" in check_problem(put(server, b"{}", kind), 422, "policy_refused")["detail"]


@pytest.mark.parametrize("query", ["version=x", "version=-1", "version=", "version=1.0", "other=1"])
def test_a_version_that_is_none_is_told(server: RunningServer, query: str) -> None:
    check_problem(server.get(f"/policy?{query}"), 422, "invalid_query")


@pytest.mark.parametrize("version", [0, 2, 2**31, 9_999_999_999])
def test_a_version_that_never_was_is_not_found(server: RunningServer, version: int) -> None:
    check_problem(server.get(f"/policy?version={version}"), 404, "policy_not_found")


@pytest.mark.parametrize("reason", ["", "x" * 501, "a%0Ab"])
def test_a_reason_that_cannot_be_kept_is_refused(server: RunningServer, reason: str) -> None:
    answer = server.ask(
        "PUT", f"/policy?reason={reason}", DEFAULT.encode(), {"Content-Type": "application/toml"}
    )
    check_problem(answer, 422, "change_refused")


def test_a_page_of_another_site_changes_nothing(server: RunningServer) -> None:
    check_problem(put(server, NIGHT, "text/plain", Origin="https://evil.example"), 403, "foreign_origin")
    assert server.get("/policy").document["policy"] == "default@1"


def test_it_takes_a_key_with_the_scope(package: Path, tmp_path: Path) -> None:
    allowed, other = (make_key(tmp_path, scope, scope) for scope in ("policy", "models"))
    with running_server("--model", str(package), "--no-worker", data_dir=tmp_path) as own:
        assert put(own, NIGHT, **allowed).document == {"policy": "night@2"}
        assert own.get("/policy", allowed).document["activated_by"] == "key:policy"
        check_problem(put(own, DEFAULT), 401, "no_key")
        check_problem(put(own, DEFAULT, **other), 403, "scope_missing")


def test_a_stored_policy_that_cannot_be_read_leaves_the_one_before_at_work(
    package: Path, tmp_path: Path
) -> None:
    with running_server("--model", str(package), "--no-worker", data_dir=tmp_path) as own:
        activate(own, NIGHT)
        wait_until(lambda: predict(own)["policy"] == "night@2")
        with closing(sqlite3.connect(tmp_path / FILE)) as database, database:
            row = "3, 'newer', 'of_a_newer_flagrank = 1', 'x', 9, NULL, NULL"
            database.execute(f"INSERT INTO policy VALUES ({row})")  # noqa: S608 - a constant
        wait_until(lambda: b"can't be read here: Policy 3 in the database" in own.get("/readyz").body)
        assert own.get("/readyz").status == 200
        assert predict(own)["policy"] == "night@2"
    done = run("serve", "--port", "0", data_dir=tmp_path)
    assert (done.returncode, "of_a_newer_flagrank is no key of a policy" in done.stderr) == (1, True)
    file = tmp_path / "day.toml"
    file.write_text(DEFAULT)
    assert read_json(run("policy", "activate", file, "--json", data_dir=tmp_path)) == {"policy": "default@1"}
    with running_server("--no-worker", data_dir=tmp_path) as own:
        assert predict(own)["policy"] == "default@1"


def test_every_process_follows_it(package: Path) -> None:
    with running_server("--model", str(package), "--processes", "3", "--no-worker") as own:
        activate(own, NIGHT)
        time.sleep(SECONDS)
        assert {predict(own)["policy"] for _ in range(60)} == {"night@2"}
