"""What a real server shows at /metrics after real requests, summed over its processes."""

import json
import time
from pathlib import Path

import psycopg

from tests.api.running_server import REPORT, running_server
from tests.packages import write_small_package
from tests.postgres_server import WHEEL_18, run_server
from tests.telemetry.scraping import scrape

OLDEST_SNAPSHOT = ("flagrank_database_oldest_snapshot_seconds", "")


def test_any_process_of_a_server_shows_what_all_have_done(tmp_path: Path) -> None:
    write_small_package(tmp_path / "package")
    with running_server(
        "--model", str(tmp_path / "package"), "--processes", "2", data_dir=tmp_path / "data"
    ) as server:
        body = json.dumps([REPORT]).encode()
        for _ in range(40):
            accepted = server.ask("POST", "/predict", body, {"Content-Type": "application/json"})
            assert accepted.status == 202
        server.get(f"/task/{accepted.document['task_id']}?wait=20")
        shown = [scrape(server) for _ in range(8)]
    for totals in shown:
        assert totals["flagrank_http_requests_total", "/predict 202"] == 40
        assert totals["flagrank_http_request_seconds_count", "/predict"] == 40
        assert totals["flagrank_commit_tasks_sum", ""] == 40
        assert totals["flagrank_database_wait_seconds_count", ""] > 40
        assert totals["flagrank_database_transaction_seconds_count", "write"] > 0
        assert totals["flagrank_ready", ""] == 1
        assert totals["flagrank_store_up", ""] == 1
        assert totals["flagrank_workers", "polling"] + totals["flagrank_workers", "listening"] == 1
    assert shown[-1]["flagrank_tasks_finished_total", "succeeded"] == 40
    assert shown[-1]["flagrank_tasks", "succeeded"] <= 40
    assert OLDEST_SNAPSHOT not in shown[-1]


def test_a_snapshot_that_is_held_open_on_postgresql_shows_its_age() -> None:
    with run_server(WHEEL_18) as postgres:
        url = postgres.create_database("watched")
        with (
            running_server("--no-worker", database_url=url) as server,
            psycopg.connect(url, autocommit=True) as connection,
        ):
            assert scrape(server)[OLDEST_SNAPSHOT] < 1
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            connection.execute("SELECT count(*) FROM task")
            time.sleep(4)
            assert 2 < scrape(server)[OLDEST_SNAPSHOT] < 30
