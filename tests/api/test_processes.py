"""Several processes, and models promoted while they serve."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from flagrank.triage.feature_schema import parse_schema
from flagrank.triage.report import CONTEXT_FIELDS
from tests.api.problem_checks import check_problem
from tests.api.running_server import (
    FLAGRANK,
    JSON_TYPE,
    REPORT,
    RunningServer,
    make_environment,
    read_answer,
    running_server,
    write_head,
)
from tests.packages import write_small_package

DEFAULT = Path(__file__).parents[2] / "src/flagrank/default_schema.toml"
EXTRA = """
[[feature]]
name = "team"
type = "category"
values = ["a", "b"]
"""
PROCESSES = 4
REQUESTS = 400
FOLLOW_SECONDS = 2.0
PATIENCE_SECONDS = 30


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def many(package: Path, data: Path) -> Iterator[RunningServer]:
    """A server of four processes and a worker."""
    with running_server("--model", str(package), "--processes", str(PROCESSES), data_dir=data) as server:
        yield server


def model_command(data: Path, *arguments: str) -> Any:  # noqa: ANN401 - any JSON value
    """What `flagrank model` prints as JSON."""
    command = [FLAGRANK, "model", *arguments, "--json"]
    ended = subprocess.run(command, capture_output=True, env=make_environment({"data_dir": data}), check=True)
    return json.loads(ended.stdout)


def list_children(server: RunningServer) -> list[int]:
    """The processes that the server has started."""
    task = Path(f"/proc/{server.process.pid}/task")
    return [int(pid) for thread in task.iterdir() for pid in (thread / "children").read_text().split()]


def find_children(server: RunningServer) -> dict[int, str]:
    """The same, and which of them answer HTTP."""
    return {pid: find_role(pid) for pid in list_children(server)}


def find_role(pid: int) -> str:
    """The libraries that a process has loaded tell what it does; one may end while it is looked at.

    One that has ended, and waits for its parent to hear of it, has none.
    """
    try:
        loaded = Path(f"/proc/{pid}/maps").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return "gone"
    return "gone" if not loaded else "api" if "httptools" in loaded else "worker"


def find_api_processes(server: RunningServer) -> set[int]:
    return {pid for pid, role in find_children(server).items() if role == "api"}


def find_owner(server: RunningServer, connection: socket.socket) -> int | None:
    """The process at the other end of a connection."""
    ends = [f":{port:04X}" for port in (server.address[1], connection.getsockname()[1])]
    for line in Path("/proc/net/tcp").read_text().splitlines():
        _, local, remote, *_, inode = line.split()[:10]
        if [local[-5:], remote[-5:]] == ends:
            break
    for pid in list_children(server):
        with suppress(FileNotFoundError, ProcessLookupError):
            if any(
                file.is_socket() and file.stat().st_ino == int(inode)
                for file in Path(f"/proc/{pid}/fd").iterdir()
            ):
                return pid
    return None


def find_versions(server: RunningServer) -> set[str]:
    """The versions that answer 400 requests on fresh connections, and more until every process has."""
    body = json.dumps([REPORT]).encode()
    headers = {"Host": server.host, "Content-Length": str(len(body)), **JSON_TYPE}
    versions, answered = set(), set()
    end = time.monotonic() + PATIENCE_SECONDS
    for number in count(1):
        with server.connect() as connection:
            connection.sendall(write_head("POST", "/prediction", headers) + body)
            versions.add(read_answer(connection).document["model"]["version"])
            answered.add(find_owner(server, connection))
        if number >= REQUESTS and len(answered & find_api_processes(server)) == PROCESSES:
            break
        assert time.monotonic() < end
    return versions


def publish_other(data: Path, tmp_path: Path) -> None:
    """As version 2."""
    write_small_package(tmp_path / "other", changed={"notes.txt": b"another one"})
    assert model_command(data, "publish", str(tmp_path / "other"))["version"] == 2


def test_every_process_serves_a_new_champion_within_two_seconds(
    many: RunningServer, data: Path, tmp_path: Path
) -> None:
    publish_other(data, tmp_path)
    assert find_versions(many) == {"1"}
    model_command(data, "promote", "2")
    time.sleep(FOLLOW_SECONDS)
    assert find_versions(many) == {"2"}
    assert model_command(data, "rollback")["version"] == 1
    time.sleep(FOLLOW_SECONDS)
    assert find_versions(many) == {"1"}


def test_a_process_that_is_born_again_meanwhile_serves_the_new_champion(
    many: RunningServer, data: Path, tmp_path: Path
) -> None:
    publish_other(data, tmp_path)
    first, second, *_ = find_api_processes(many)
    os.kill(first, signal.SIGKILL)
    model_command(data, "promote", "2")
    time.sleep(FOLLOW_SECONDS)
    assert find_versions(many) == {"2"}
    os.kill(second, signal.SIGKILL)
    assert model_command(data, "rollback")["version"] == 1
    time.sleep(FOLLOW_SECONDS)
    assert find_versions(many) == {"1"}
    assert not {first, second} & find_api_processes(many)


def test_a_killed_process_is_born_again(many: RunningServer) -> None:
    before = find_children(many)
    assert sorted(before.values()) == ["api"] * PROCESSES + ["worker"]
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    end = time.monotonic() + PATIENCE_SECONDS
    while sorted((born := find_children(many)).values()) != ["api"] * PROCESSES + ["worker"]:
        assert time.monotonic() < end
        time.sleep(0.1)
    assert not before.keys() & born.keys()
    location = many.submit([REPORT]).headers["Location"]
    assert many.get(f"{location}?wait=30").document["status"] == "succeeded"


def test_all_processes_end_with_the_server(many: RunningServer) -> None:
    children = find_children(many)
    many.signal()
    assert many.wait() == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in children)


def test_no_process_outlives_a_server_that_was_killed(many: RunningServer) -> None:
    children = find_children(many)
    many.signal(signal.SIGKILL)
    end = time.monotonic() + PATIENCE_SECONDS
    while any(Path(f"/proc/{pid}").exists() for pid in children):
        assert time.monotonic() < end
        time.sleep(0.1)


def test_one_process_answers_by_itself(server: RunningServer) -> None:
    assert list(find_children(server).values()) == ["worker"]


def test_the_same_package_is_one_version_and_a_champion_stays(package: Path, tmp_path: Path) -> None:
    with running_server("--model", str(package), data_dir=tmp_path) as first:
        assert first.model == {"name": "small", "version": "1"}
    with running_server("--model", "demo", data_dir=tmp_path) as second:
        assert second.model == {"name": "small", "version": "1"}
    with running_server(data_dir=tmp_path) as third:
        assert third.model == {"name": "small", "version": "1"}
        assert third.predict([REPORT]).document["model"] == third.model
    with running_server("--model", str(package), data_dir=tmp_path) as fourth:
        assert fourth.model == {"name": "small", "version": "1"}
    assert [model["role"] for model in model_command(tmp_path, "list")["models"]] == ["champion"]


def test_a_champion_of_another_schema_brings_it_along_past_the_gates_only(
    many: RunningServer, data: Path, tmp_path: Path
) -> None:
    wider = parse_schema(EXTRA + DEFAULT.read_text(), "wider", CONTEXT_FIELDS)
    write_small_package(tmp_path / "wider", wider)
    check_problem(many.predict([REPORT | {"team": "a"}]), 422, "invalid_reports")
    model_command(data, "publish", str(tmp_path / "wider"))
    command = [FLAGRANK, "model", "promote", "2", "--force", "--reason", "it must"]
    environment = make_environment({"data_dir": data})
    refused = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "lacks what the model was trained with: team (category)" in refused.stderr
    with running_server("--model", str(tmp_path / "wider"), "--no-worker", data_dir=data) as other:
        assert other.model == {"name": "small", "version": "2"}
    time.sleep(FOLLOW_SECONDS)
    assert many.predict([REPORT | {"team": "a"}]).document["model"]["version"] == "2"
    check_problem(many.predict([REPORT]), 422, "invalid_reports")
    properties = many.get("/openapi.json").document["components"]["schemas"]["Report"]["properties"]
    assert "team" in properties
