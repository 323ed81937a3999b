"""What a real server shows at /metrics after real requests, summed over its processes."""

import json
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.api.running_server import REPORT, RunningServer, running_server
from tests.packages import write_small_package


def scrape(server: RunningServer) -> dict[tuple[str, str], float]:
    """The totals by name and by the values of the labels but for bucket bounds."""
    totals: dict[tuple[str, str], float] = {}
    for family in text_string_to_metric_families(server.get("/metrics").body.decode()):
        for sample in family.samples:
            labels = " ".join(value for name, value in sorted(sample.labels.items()) if name != "le")
            key = (sample.name, labels)
            totals[key] = totals.get(key, 0) + sample.value
    return totals


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
