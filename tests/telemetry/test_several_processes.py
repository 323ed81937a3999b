"""Several processes of one server count into one file: a scrape of any of them shows the sum."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from threading import Thread

from prometheus_client.parser import text_string_to_metric_families

from flagrank.telemetry import (
    Metrics,
    Readings,
    Slots,
    create_slots_file,
    render_metrics,
)

AWAY = Readings(is_ready=False, model=None, counts=None)
ROUTES = ("/predict", "/task")
COUNT_AND_WAIT = """
import sys, time
from pathlib import Path
from flagrank.telemetry import Metrics, Slots
metrics = Metrics(Slots(Path(sys.argv[1]), int(sys.argv[2])), ("/predict", "/task"))
metrics.tasks.set_worker_mode(is_listening=True)
for _ in range(int(sys.argv[3])):
    metrics.requests.observe("/predict", 202, 0.5)
print("counted", flush=True)
time.sleep(60)
"""


def count_in_process(file: Path, row: int, count: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", COUNT_AND_WAIT, str(file), str(row), str(count)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout
    assert process.stdout.readline() == b"counted\n"
    return process


def scrape(metrics: Metrics) -> dict[str, float]:
    """The total of each name."""
    totals: dict[str, float] = {}
    for family in text_string_to_metric_families(render_metrics(metrics, AWAY).body.decode()):
        for sample in family.samples:
            totals[sample.name] = totals.get(sample.name, 0) + sample.value
    return totals


def test_any_process_shows_the_sum_and_a_death_loses_nothing(tmp_path: Path) -> None:
    file = tmp_path / "slots"
    create_slots_file(file, rows=3)
    own = Metrics(Slots(file, 0), ROUTES)
    own.requests.observe("/predict", 202, 0.5)
    processes = [count_in_process(file, 1, 10), count_in_process(file, 2, 100)]
    try:
        assert scrape(own)["flagrank_http_requests_total"] == 111
        assert scrape(own)["flagrank_workers"] == 2
        os.kill(processes[1].pid, signal.SIGKILL)
        processes[1].wait()
        assert scrape(own)["flagrank_http_requests_total"] == 111
        processes.append(count_in_process(file, 2, 1_000))  # born again, in the row of the dead
        totals = scrape(own)
        assert totals["flagrank_http_requests_total"] == 1_111
        assert totals["flagrank_http_request_seconds_sum"] == 555.5
        assert totals["flagrank_workers"] == 2
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def test_threads_lose_no_count() -> None:
    metrics = Metrics(routes=ROUTES)

    def count() -> None:
        for _ in range(20_000):
            metrics.database.waits.observe(0.5)
            metrics.tasks.lease_losses.add()

    threads = [Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    totals = scrape(metrics)
    assert totals["flagrank_database_wait_seconds_count"] == 80_000
    assert totals["flagrank_lease_losses_total"] == 80_000
