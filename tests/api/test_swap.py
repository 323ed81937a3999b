"""Champions that change while requests never stop: none fails, none meets two models, none stays behind."""

import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from tests.api.model_server import Models
from tests.api.running_server import REPORT, RunningServer, read_answer, running_server, write_head
from tests.hostile.graphs import FIRST, build_scores, node
from tests.packages import golden_of

CONNECTIONS = 16
PROMOTIONS = 12
OTHER = golden_of(build_scores(node("Neg", [FIRST], ["negative"]), last="negative"))


class Load:
    """Requests on kept connections, one after the other on each, until told to stop."""

    def __init__(self, server: RunningServer) -> None:
        self._server = server
        self._stop = threading.Event()
        body = json.dumps([REPORT | {"abuse_type": "PRF"}]).encode()
        headers = {
            "Host": server.host,
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
        }
        self._request = write_head("POST", "/prediction", headers) + body
        self.answers: Counter[tuple[int, str, float]] = Counter()
        self.swaps: list[int] = []
        self._lock = threading.Lock()
        self.faults: list[BaseException] = []

    def ask(self, connection: socket.socket) -> None:
        met = []
        while not self._stop.is_set():
            connection.sendall(self._request)
            answer = read_answer(connection)
            document = answer.document
            key = (answer.status, document["model"]["version"], document["scores"][0])
            met.append(key)
            with self._lock:
                self.answers[key] += 1
        self.swaps.append(sum(one != other for one, other in pairwise(met)))

    def run(self) -> None:
        try:
            with self._server.connect() as connection:
                self.ask(connection)
        except BaseException as error:  # noqa: BLE001 - told by the test
            self.faults.append(error)

    @contextmanager
    def running(self) -> Iterator[None]:
        threads = [threading.Thread(target=self.run) for _ in range(CONNECTIONS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()


@pytest.fixture
def models(package: Path) -> Iterator[Models]:
    with running_server("--model", str(package), "--no-worker") as server:
        yield Models(server)


@pytest.mark.parametrize("processes", [1, 2])
def test_no_request_fails_while_champions_change(package: Path, processes: int) -> None:
    with running_server("--model", str(package), "--processes", str(processes)) as server:
        change_champions(Models(server))


def change_champions(models: Models) -> None:
    other = models.publish_new("other", OTHER)
    load = Load(models.server)
    with load.running():
        for number in range(PROMOTIONS):
            version = (other, 1)[number % 2]
            answer = models.promote(version) if number % 3 else models.post(f"/{version}/promote")
            assert answer.status == 200
            models.wait_for(version)
            time.sleep(0.1)
    assert load.faults == []
    assert {status for status, _, _ in load.answers} == {200}
    # Each model has a score of its own for the one report that was sent, and never the other's.
    assert sorted(version for _, version, _ in load.answers) == ["1", str(other)]
    assert min(load.answers.values()) > PROMOTIONS
    # A connection stays with one process, which never returns to a model that it has left.
    assert len(load.swaps) == CONNECTIONS
    assert PROMOTIONS / 2 < max(load.swaps) <= PROMOTIONS


def count_threads(server: RunningServer) -> int:
    return len(list(Path(f"/proc/{server.process.pid}/task").iterdir()))


def read_resident(server: RunningServer) -> int:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS:")).split()[1]) * 1024


def test_models_that_were_replaced_leave_nothing_behind(models: Models) -> None:
    """Each package is of 8 MB, which every promotion reads."""
    ballast = b"\x00" * (8 * 2**20)
    versions = [models.publish_new(str(n), OTHER | {"ballast.bin": ballast + bytes([n])}) for n in range(2)]
    sizes, threads = [], []
    for number in range(PROMOTIONS):
        version = versions[number % 2]
        assert models.promote(version).status == 200
        models.wait_for(version)
        models.predict([REPORT])
        sizes.append(read_resident(models.server))
        threads.append(count_threads(models.server))
    # The least of some: a package may be in somebody's hands when one is taken.
    assert min(sizes[-3:]) < min(sizes[3:6]) + 8 * 2**20
    assert threads[-1] <= threads[PROMOTIONS // 2]
