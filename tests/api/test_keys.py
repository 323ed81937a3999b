"""API keys over HTTP: who is asked for one, what it allows, and how soon it ends."""

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.problem_checks import check_problem
from tests.api.running_server import (
    FLAGRANK,
    REPORT,
    RunningServer,
    make_environment,
    running_server,
)

SOON_SECONDS = 2.0


def manage(data: Path, *arguments: str) -> Any:  # noqa: ANN401 - any JSON value
    """What a command prints as JSON."""
    ended = subprocess.run(
        [FLAGRANK, *arguments, "--json"],
        capture_output=True,
        env=make_environment({"data_dir": data}),
        check=True,
    )
    return json.loads(ended.stdout)


def make_key(data: Path, name: str, *scopes: str) -> dict[str, str]:
    """The header that carries a new key."""
    options = [part for scope in scopes for part in ("--scope", scope)]
    return {"Authorization": f"Bearer {manage(data, 'keys', 'create', name, *options)['key']}"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("guarded")


@pytest.fixture(scope="module")
def full(data: Path) -> dict[str, str]:
    """A key for scoring and tasks, which is made before the server starts."""
    return make_key(data, "full", "score", "tasks")


@pytest.fixture(scope="module")
def guarded(package: Path, data: Path, full: dict[str, str]) -> Iterator[RunningServer]:
    """A server that asks for keys."""
    assert full
    with running_server("--model", str(package), "--no-worker", data_dir=data) as server:
        yield server


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(
            ("POST", "/prediction"),
            ("POST", "/predict"),
            ("GET", "/task"),
            ("GET", "/metrics"),
            ("GET", "/nope"),
        ),
        *(("GET", "/task/0199c6a1-64a0-7c5e-9a0d-3f1b5d0e7a21"), ("POST", "/task/x/cancel"), ("GET", "/")),
        *(("GET", "/docs/"), ("GET", "//heartbeat"), ("GET", "/consoles")),
    ],
)
def test_every_route_asks_for_a_key(guarded: RunningServer, method: str, path: str) -> None:
    answer = guarded.ask(method, path, b"[]" if method == "POST" else None)
    check_problem(answer, 401, "no_key")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "path", ["/heartbeat", "/livez", "/readyz", "/docs", "/openapi.json", "/docs/assets/docs.js"]
)
def test_health_and_description_ask_for_none(guarded: RunningServer, path: str) -> None:
    assert guarded.get(path).status == 200


@pytest.mark.parametrize(
    "value",
    ["Bearer", "Bearer ", "Bearer flagrank_wrong", "Basic {key}", "{key}", "Bearer {key}x", "Bearer x{key}"],
)
def test_what_is_no_key_in_force_is_refused(guarded: RunningServer, full: dict[str, str], value: str) -> None:
    key = full["Authorization"].removeprefix("Bearer ")
    check_problem(guarded.predict([REPORT], {"Authorization": value.format(key=key)}), 401, "no_key")


def test_a_key_is_answered_whatever_the_host(guarded: RunningServer, full: dict[str, str]) -> None:
    named = full | {"Host": "reports.example.org", "X-Forwarded-For": "203.0.113.7"}
    assert guarded.predict([REPORT], named).status == 200
    assert (
        guarded.predict([REPORT], {"Authorization": full["Authorization"].replace("B", "b", 1)}).status == 200
    )


def test_a_page_of_another_site_changes_nothing_with_a_key_either(
    guarded: RunningServer, full: dict[str, str]
) -> None:
    check_problem(
        guarded.submit([REPORT], "", full | {"Origin": "https://evil.example"}), 403, "foreign_origin"
    )


def test_a_key_allows_what_its_scopes_say(guarded: RunningServer, data: Path, full: dict[str, str]) -> None:
    score = make_key(data, "score-only", "score")
    tasks = make_key(data, "tasks-only", "tasks")
    metrics = make_key(data, "metrics-only", "metrics")
    assert guarded.predict([REPORT], score).status == 200  # at once, though the server runs
    check_problem(guarded.submit([REPORT], "", score), 403, "scope_missing")
    check_problem(guarded.get("/task", score), 403, "scope_missing")
    check_problem(guarded.predict([REPORT], tasks), 403, "scope_missing")
    location = guarded.submit([REPORT], "", tasks).headers["Location"]
    assert guarded.get(location, full).status == 200
    check_problem(guarded.ask("POST", f"{location}/cancel", b"", score), 403, "scope_missing")
    assert guarded.get("/metrics", metrics).status == 200
    check_problem(guarded.get("/metrics", full), 403, "scope_missing")


def test_an_idempotency_key_belongs_to_the_api_key(
    guarded: RunningServer, data: Path, full: dict[str, str]
) -> None:
    other = make_key(data, "another", "tasks")
    named = {"Idempotency-Key": "shared word"}
    first, second = (guarded.submit([REPORT], "", key | named) for key in (full, other))
    assert (first.status, second.status) == (202, 202)
    assert first.document["task_id"] != second.document["task_id"]


def test_a_revoked_key_ends_within_two_seconds(guarded: RunningServer, data: Path) -> None:
    key = make_key(data, "short", "score")
    assert guarded.predict([REPORT], key).status == 200
    manage(data, "keys", "revoke", "short")
    time.sleep(SOON_SECONDS)
    check_problem(guarded.predict([REPORT], key), 401, "no_key")


def test_the_first_key_closes_a_running_server_and_revoking_it_opens_nothing(
    package: Path, tmp_path: Path
) -> None:
    with running_server("--model", str(package), "--no-worker", data_dir=tmp_path) as server:
        assert server.predict([REPORT]).status == 200
        key = make_key(tmp_path, "first", "score")
        time.sleep(SOON_SECONDS)
        check_problem(server.predict([REPORT]), 401, "no_key")
        assert server.predict([REPORT], key).status == 200
        manage(tmp_path, "keys", "revoke", "first")
        time.sleep(SOON_SECONDS)
        check_problem(server.predict([REPORT]), 401, "no_key")


def test_an_open_address_needs_no_word_once_a_key_exists(package: Path, tmp_path: Path) -> None:
    key = make_key(tmp_path, "first", "score")
    open_address = ("--host", "0.0.0.0")  # noqa: S104 - what the test is about
    with running_server(*open_address, "--model", str(package), data_dir=tmp_path) as server:
        assert server.predict([REPORT], key).status == 200
        check_problem(server.predict([REPORT]), 401, "no_key")


def test_a_key_is_nowhere_in_the_database(data: Path, full: dict[str, str]) -> None:
    key = full["Authorization"].removeprefix("Bearer ").encode()
    assert not any(key in file.read_bytes() for file in data.iterdir())


@pytest.mark.parametrize("given", ["score,tasks", "score tasks", "score --scope tasks"])
def test_scopes_are_given_in_any_of_the_usual_ways(tmp_path: Path, given: str) -> None:
    made = manage(tmp_path, "keys", "create", "ci", "--scope", *given.split())
    assert made["scopes"] == ["score", "tasks"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("keys", "create", "a b", "--scope", "score"),
        ("keys", "create", "x", "--scope", "everything"),
        ("keys", "create", "x"),
        ("keys", "create", "x", "--scope", "review", "--moderator", "\n"),
    ],
)
def test_a_key_that_can_not_be_made_is_wrong_usage(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    environment = make_environment({"data_dir": tmp_path})
    ended = subprocess.run([FLAGRANK, *arguments], capture_output=True, env=environment, check=False)
    assert ended.returncode == 2


def test_names_are_given_once_and_free_again_when_revoked(tmp_path: Path) -> None:
    make_key(tmp_path, "ci", "score,tasks")
    environment = make_environment({"data_dir": tmp_path})
    again = [FLAGRANK, "keys", "create", "ci", "--scope", "score"]
    refused = subprocess.run(again, capture_output=True, text=True, env=environment, check=False)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "ci" in refused.stderr
    assert manage(tmp_path, "keys", "revoke", "ci")["revoked_at"]
    made = manage(tmp_path, "keys", "create", "ci", "--scope", "review", "--moderator", "ann")
    assert (made["moderator"], made["scopes"]) == ("ann", ["review"])
    listed = manage(tmp_path, "keys", "list")["keys"]
    assert [(key["name"], key["scopes"]) for key in listed] == [
        ("ci", ["score", "tasks"]),
        ("ci", ["review"]),
    ]
    assert all("key" not in key for key in listed)
