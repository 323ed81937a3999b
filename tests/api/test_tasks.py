"""Looking at tasks, waiting for them, cancelling and retrying them, over HTTP."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.problem_checks import check_problem
from tests.api.running_server import REPORT, RunningServer, read_answer, running_server, write_head

FIELDS = [
    *("task_id", "status", "priority", "n_reports", "submitted_at", "run_at", "started_at", "finished_at"),
    *("attempts", "model", "error"),
]
UNKNOWN = "0199c6a1-64a0-7c5e-9a0d-3f1b5d0e7a21"
FAR = "?run_at=2099-01-05T10:00:00Z"


@pytest.fixture(scope="module")
def listed(package: Path) -> Iterator[RunningServer]:
    """A server that has 25 tasks, of which five are scheduled and two are cancelled."""
    with running_server("--model", str(package), "--no-worker") as server:
        for number in range(25):
            server.submit([REPORT] * (number + 1), FAR if number % 5 == 0 else "")
        for task in server.get("/task?status=queued&limit=2").document["tasks"]:
            assert server.ask("POST", f"/task/{task['task_id']}/cancel", b"").status == 200
        yield server


def walk(server: RunningServer, query: str) -> list[dict[str, Any]]:
    """The tasks of all pages."""
    tasks, cursor = [], ""
    while True:
        page = server.get(f"/task?{query}{cursor}").document
        tasks += page["tasks"]
        if page["next"] is None:
            return tasks
        cursor = f"&cursor={page['next']}"


@pytest.mark.parametrize(
    "task_id", [UNKNOWN, "nope", "0", "%00", "..", "x" * 300, UNKNOWN[:-1] + "g", "%F0%9F"]
)
@pytest.mark.parametrize(("method", "more"), [("GET", ""), ("POST", "/cancel"), ("POST", "/retry")])
def test_an_unknown_or_malformed_id_is_not_found(
    idle_server: RunningServer, method: str, task_id: str, more: str
) -> None:
    answer = idle_server.ask(method, f"/task/{task_id}{more}", b"" if method == "POST" else None)
    check_problem(answer, 404, "task_not_found")


def test_an_id_in_capitals_is_the_same_task(idle_server: RunningServer) -> None:
    task_id = idle_server.submit([REPORT]).document["task_id"]
    assert idle_server.get(f"/task/{task_id.upper()}").document["task_id"] == task_id


def test_a_task_that_waits_has_no_results_yet(idle_server: RunningServer) -> None:
    task = idle_server.get(idle_server.submit([REPORT]).headers["Location"]).document
    assert list(task) == [*FIELDS, "report_ids", "scores", "priorities"]
    assert (task["status"], task["attempts"]) == ("queued", 0)
    assert [task[name] for name in ("model", "scores", "priorities", "started_at", "finished_at")] == [
        None
    ] * 5


def test_the_list_shows_the_newest_first_without_reports_and_results(listed: RunningServer) -> None:
    page = listed.get("/task").document
    assert list(page) == ["tasks", "counts", "next"]
    assert [task["n_reports"] for task in page["tasks"]] == list(range(25, 0, -1))
    assert all(list(task) == FIELDS for task in page["tasks"])
    assert page["counts"] == {
        **dict.fromkeys(("running", "succeeded", "failed"), 0),
        "scheduled": 5,
        "queued": 18,
        "cancelled": 2,
    }
    assert page["next"] is None


@pytest.mark.parametrize("limit", [1, 7, 25, 1_000])
def test_walking_by_cursor_shows_each_task_once(listed: RunningServer, limit: int) -> None:
    assert walk(listed, f"limit={limit}") == listed.get("/task").document["tasks"]


@pytest.mark.parametrize(
    ("status", "count"), [("scheduled", 5), ("queued", 18), ("cancelled", 2), ("failed", 0)]
)
def test_a_status_is_filtered_by(listed: RunningServer, status: str, count: int) -> None:
    tasks = walk(listed, f"status={status}&limit=4")
    assert [task["status"] for task in tasks] == [status] * count


def test_times_bound_the_list(listed: RunningServer) -> None:
    tasks = listed.get("/task").document["tasks"]
    since, until = tasks[10]["submitted_at"], tasks[4]["submitted_at"]
    assert walk(listed, f"since={since}&until={until}&limit=2") == tasks[5:11]


@pytest.mark.parametrize(
    "query",
    [
        *(
            "limit=0",
            "limit=1001",
            "limit=-1",
            "limit=1.0",
            "limit=",
            "limit=ten",
            "limit=%D9%A1",
            "limit=1e2",
        ),
        *("status=done", "status=", "status=queued,running", "since=yesterday", "until=2027-02-30T00:00:00Z"),
        *("since=2027-01-05T10:00:00", "page=2", "limit=1&limit=2"),
    ],
)
def test_a_bad_filter_is_refused(idle_server: RunningServer, query: str) -> None:
    check_problem(idle_server.get(f"/task?{query}"), 422, "invalid_query")


@pytest.mark.parametrize(
    "cursor", ["", "abc", "A" * 31, "A" * 33, "=" * 32, "%00" * 32, "x" * 5_000, "-" * 32]
)
def test_a_cursor_that_no_page_gave_is_refused(idle_server: RunningServer, cursor: str) -> None:
    check_problem(idle_server.get(f"/task?cursor={cursor}"), 422, "invalid_cursor")


@pytest.mark.parametrize("wait", ["-1", "60.1", "61", "nan", "inf", "1e3", "", "soon", "0x1"])
def test_a_bad_wait_is_refused(idle_server: RunningServer, wait: str) -> None:
    check_problem(idle_server.get(f"/task/{UNKNOWN}?wait={wait}"), 422, "invalid_query")


def test_waiting_ends_with_the_time_asked_for(idle_server: RunningServer) -> None:
    location = idle_server.submit([REPORT]).headers["Location"]
    begin = time.monotonic()
    assert idle_server.get(f"{location}?wait=0.5").document["status"] == "queued"
    assert 0.5 <= time.monotonic() - begin < 5


def test_waiting_ends_as_soon_as_the_task_does(idle_server: RunningServer) -> None:
    location = idle_server.submit([REPORT]).headers["Location"]
    threading.Timer(0.5, idle_server.ask, ("POST", f"{location}/cancel", b"")).start()
    begin = time.monotonic()
    assert idle_server.get(f"{location}?wait=60").document["status"] == "cancelled"
    assert 0.4 <= time.monotonic() - begin < 5


def test_two_hundred_waiters_cost_no_thread_each(idle_server: RunningServer) -> None:
    locations = [idle_server.submit([REPORT]).headers["Location"] for _ in range(5)]
    threads = Path(f"/proc/{idle_server.process.pid}/task")
    idle_server.get(f"{locations[0]}?wait=0.1")
    before = len(list(threads.iterdir()))
    waiters: list[socket.socket] = []
    for number in range(200):
        waiters.append(idle_server.connect())
        head = write_head("GET", f"{locations[number % 5]}?wait=60", {"Host": idle_server.host})
        waiters[-1].sendall(head)
    time.sleep(1)
    assert len(list(threads.iterdir())) <= before + 3
    for location in locations:
        idle_server.ask("POST", f"{location}/cancel", b"")
    for waiter in waiters:
        with waiter:
            assert read_answer(waiter, "GET").document["status"] == "cancelled"


def test_who_waits_is_answered_when_the_server_stops(package: Path) -> None:
    with running_server("--model", str(package), "--no-worker") as server:
        location = server.submit([REPORT]).headers["Location"]
        with server.connect() as waiter:
            waiter.sendall(write_head("GET", f"{location}?wait=60", {"Host": server.host}))
            time.sleep(0.3)
            server.signal()
            assert read_answer(waiter, "GET").document["status"] == "queued"
        assert server.wait() == 0


def test_a_cancelled_task_can_neither_be_cancelled_nor_retried(idle_server: RunningServer) -> None:
    location = idle_server.submit([REPORT], FAR).headers["Location"]
    cancelled = idle_server.ask("POST", f"{location}/cancel", b"")
    assert (cancelled.status, cancelled.document["status"]) == (200, "cancelled")
    assert idle_server.get(location).document == cancelled.document
    for more in ("cancel", "retry"):
        check_problem(idle_server.ask("POST", f"{location}/{more}", b""), 409, "task_conflict")


def test_a_task_that_succeeded_stays_as_it_is(server: RunningServer) -> None:
    location = server.submit([REPORT]).headers["Location"]
    done = server.get(f"{location}?wait=30").document
    assert done["status"] == "succeeded"
    for more in ("cancel", "retry"):
        check_problem(server.ask("POST", f"{location}/{more}", b""), 409, "task_conflict")
    assert server.get(location).document == done


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/task"),
        ("PUT", "/task/" + UNKNOWN),
        ("GET", f"/task/{UNKNOWN}/cancel"),
        ("GET", "/predict"),
    ],
)
def test_another_method_is_not_allowed(idle_server: RunningServer, method: str, path: str) -> None:
    answer = idle_server.ask(method, path, None if method in {"GET", "DELETE"} else b"")
    check_problem(answer, 405, "method_not_allowed")
    assert answer.headers["Allow"]
