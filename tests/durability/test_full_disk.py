"""A disk that fills up under a real server, and has room again."""

import sqlite3
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta

import pytest

from flagrank.service.store import FILE
from tests.api.problem_checks import check_problem
from tests.api.running_server import REPORT, Answer, RunningServer, running_server
from tests.durability.small_disks import Disk, make_disk, make_limited_files

SCHEDULED_SECONDS = 3.0
PATIENCE_SECONDS = 30.0
LARGE = [REPORT] * 2_000
# The system says "no space left" of the one and "file too large" of the other.
REFUSALS = {"its disk is full", "reading or writing its file fails"}


def submit_until(server: RunningServer, status: int, reports: object) -> tuple[Answer, list[str]]:
    """The first answer of this status, and the tasks accepted up to it."""
    accepted = []
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        answer = server.submit(reports)
        if answer.status == 202:
            accepted.append(answer.headers["Location"])
        if answer.status == status:
            return answer, accepted
        assert time.monotonic() < end, answer.body
        time.sleep(0.02)


def wait_for(server: RunningServer, path: str, status: int) -> Answer:
    end = time.monotonic() + PATIENCE_SECONDS
    while (answer := server.get(path)).status != status:
        assert time.monotonic() < end, answer.body
        time.sleep(0.05)
    return answer


@pytest.mark.parametrize("make", [make_disk, make_limited_files])
def test_a_full_disk_is_told_loses_nothing_and_service_returns_with_the_room(
    make: Callable[[], AbstractContextManager[Disk]],
) -> None:
    with (
        make() as disk,
        running_server("--model", "demo", data_dir=disk.folder, least_free_bytes=0) as server,
    ):
        _, accepted = submit_until(server, 202, [REPORT])
        assert server.get(f"{accepted[0]}?wait=30").document["status"] == "succeeded"
        run_at = f"{datetime.now(UTC) + timedelta(seconds=SCHEDULED_SECONDS):%Y-%m-%dT%H:%M:%SZ}"
        accepted += [server.submit([REPORT], f"?run_at={run_at}").headers["Location"] for _ in range(20)]
        disk.fill(server.process.pid)

        refused, more = submit_until(server, 503, LARGE)
        problem = check_problem(refused, 503, "store_unavailable")
        assert problem["detail"] in {
            f"The database can't be used now: {reason}. Try again later." for reason in REFUSALS
        }
        assert int(refused.headers["Retry-After"]) > 0
        assert check_problem(server.get("/readyz"), 503, "not_ready")["detail"] == problem["detail"]
        assert server.get("/heartbeat").status == 200
        assert server.predict([REPORT]).status == 200  # needs no database
        assert server.get(accepted[0]).document["status"] == "succeeded"  # is read all the same
        time.sleep(SCHEDULED_SECONDS)  # what has become due now can't be claimed
        assert server.get("/task").status == 200

        disk.free(server.process.pid)
        _, last = submit_until(server, 202, LARGE)
        wait_for(server, "/readyz", 200)
        accepted += more + last
        finished = [server.get(f"{location}?wait=60").document for location in accepted]
        assert {task["status"] for task in finished} == {"succeeded"}
        assert {task["attempts"] for task in finished} == {1}
        server.signal()
        assert server.wait() == 0
        with sqlite3.connect(disk.folder / FILE) as connection:
            stored = connection.execute(
                "SELECT (SELECT count(*) FROM task), (SELECT count(*) FROM task_reports)"
            ).fetchone()
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.close()
        assert stored == (len(accepted), len(accepted))
