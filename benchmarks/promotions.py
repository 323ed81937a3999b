"""Promotions under load, one a second: requests that failed, what the answers saw of it, latency, memory."""

import os
import subprocess
import tempfile
import time
from array import array
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from benchmarks.load import LoadGenerator, build_request
from benchmarks.models import DEPTH, TREES, make_served_model
from benchmarks.processes import FLAGRANK, Server, free_port, pinned, running
from benchmarks.rows import SEED, request_bodies
from benchmarks.tables import Figure, print_figures, progress, show
from flagrank.service.store import FILE
from flagrank.storage.engine import embedded_url, open_database
from flagrank.storage.model_registry import StoredModelRegistry
from flagrank.triage.audit import Change

SERVER_CORE, LOAD_CORE = 0, 1
CONNECTIONS = 64
DIFFERENT_BODIES = 2_000
FEW, MANY = 100, 1_000
ROUNDS = 10  # of promotions, and calm beside them
WARM_PROMOTIONS = 10  # until the allocators hold what two models side by side need
CALM_SECONDS = 3.0
STEP_SECONDS = 0.25
PERCENTILES = (50.0, 99.0, 99.9)
HOW = (
    f"{ROUNDS} rounds, with and without promotions in turn; server and worker on core {SERVER_CORE}, load on "
    f"core {LOAD_CORE}, {CONNECTIONS} kept connections in a closed loop, one report a request; two models of "
    f"{TREES} trees of depth {DEPTH} by turns. A promotion is the registry's commit, which server and worker "
    "follow; the comparison that `flagrank model promote` makes before it is not in it."
)


class Answers:
    """What the load hears."""

    def __init__(self) -> None:
        self.failed = 0
        self.swaps: Counter[int] = Counter()  # how often a connection was answered by another model
        self.versions: Counter[bytes] = Counter()
        self.seconds = {True: array("f"), False: array("f")}  # by whether champions change
        self.are_changing = False
        self._last: dict[int, bytes] = {}

    def hear(self, connection: int, answer: bytes, seconds: float) -> None:
        """Count one answer."""
        self.seconds[self.are_changing].append(seconds)
        if not answer.startswith(b"HTTP/1.1 200 "):
            self.failed += 1
            return
        version = answer.partition(b'"version":"')[2].partition(b'"')[0]
        self.versions[version] += 1
        self.swaps[connection] += version != self._last.get(connection, version)
        self._last[connection] = version

    def milliseconds(self, percent: float, *, are_changing: bool) -> float:
        """That percentile of the latencies."""
        return 1000 * float(np.percentile(np.frombuffer(self.seconds[are_changing], np.float32), percent))


class Traffic:
    """Load on a server whose champions change."""

    def __init__(self, server: Server, registry: StoredModelRegistry) -> None:
        self.answers = Answers()
        self._server = server
        self._registry = registry
        requests = [
            build_request("/prediction", body, server.port) for body in request_bodies(1, DIFFERENT_BODIES)
        ]
        self._load = LoadGenerator(server.port, requests, CONNECTIONS, hear=self.answers.hear)
        self._load.start()

    def promote(self, count: int) -> None:
        """Promote version 2, 1, 2, ..., one a second, while requests go on; an even number of times."""
        self.answers.are_changing = True
        with ThreadPoolExecutor(1) as executor:
            promoting = executor.submit(self._promote, count)
            while not promoting.done():
                self._load.run(STEP_SECONDS, self._server.read_cpu)
            promoting.result()

    def rest(self, seconds: float) -> None:
        """Let requests go on with one champion."""
        self.answers.are_changing = False
        self._load.run(seconds, self._server.read_cpu)

    def finish(self) -> None:
        """Take the answers still due."""
        self._load.finish()

    def _promote(self, count: int) -> None:
        begin = time.monotonic()
        for number in range(count):
            self._registry.promote(2 - number % 2, Change("user:benchmark"))
            time.sleep(max(0.0, begin + number + 1 - time.monotonic()))


def main(promotions: int = FEW, processes: int = 1) -> None:
    """Measure and print."""
    packages = [make_served_model(f"promoted{seed}", seed).package for seed in (SEED, SEED + 1)]
    progress.print(f"{promotions:,} promotions under load ...")
    with _serve(packages, processes) as (server, registry):
        warming = Traffic(server, registry)
        warming.promote(WARM_PROMOTIONS)
        warming.finish()
        before = server.all_resident_mebibytes()
        traffic = Traffic(server, registry)
        for number in range(ROUNDS):
            traffic.rest(CALM_SECONDS)
            traffic.promote(promotions // ROUNDS)
            progress.print(f"  round {number + 1} of {ROUNDS}: {server.all_resident_mebibytes():.0f} MiB")
        traffic.finish()
        after = server.all_resident_mebibytes()
    title = f"{promotions:,} promotions under load, one a second, {processes} process{'es' * (processes > 1)}"
    print_figures(title, _list_figures(traffic.answers, promotions, before, after), HOW)


@contextmanager
def _serve(packages: list[Path], processes: int) -> Iterator[tuple[Server, StoredModelRegistry]]:
    """A server whose champion is the first package, version 1; the second one is published as version 2."""
    with ExitStack() as stack:
        stack.enter_context(pinned(LOAD_CORE))
        data = stack.enter_context(tempfile.TemporaryDirectory())
        environment = {"FLAGRANK_DATA_DIR": data, "FLAGRANK_LOG_LEVEL": "warning"}
        port = free_port()
        command = [FLAGRANK, "serve", "--model", str(packages[0]), "--port", str(port)]
        command += ["--processes", str(processes)]
        server = stack.enter_context(
            running(command, port, "/readyz", core=SERVER_CORE, environment=environment)
        )
        publish = [FLAGRANK, "model", "publish", str(packages[1])]
        subprocess.run(publish, env={**os.environ, **environment}, check=True, capture_output=True)
        yield server, StoredModelRegistry(open_database(embedded_url(Path(data) / FILE)))


def _list_figures(answers: Answers, promotions: int, before: float, after: float) -> list[Figure]:
    changing, calm = (
        [answers.milliseconds(percent, are_changing=when) for percent in PERCENTILES]
        for when in (True, False)
    )
    latencies = ", ".join(
        f"p{percent:g} {show(one)} / {show(other)}"
        for percent, one, other in zip(PERCENTILES, changing, calm, strict=True)
    )
    by_version = ", ".join(
        f"{count:,} by version {version.decode()}" for version, count in sorted(answers.versions.items())
    )
    fewest, most = (pick(answers.swaps.values(), default=0) for pick in (min, max))
    return [
        Figure("requests that failed", answers.failed, target=0, how=f"answered: {by_version}"),
        Figure(
            "swaps that each connection met",
            fewest,
            target=promotions,
            bound="at least",
            how=f"answers of another version than the one before: {fewest} to {most}",
        ),
        Figure(
            "p99 latency, with promotions / without",
            changing[1] / calm[1],
            target=2,
            how=f"{latencies} ms",
        ),
        Figure(
            "memory of the server, after / before",
            after / before,
            target=1.05,
            how=f"resident, all its processes: {show(after)} / {show(before)} MiB, the latter after "
            f"{WARM_PROMOTIONS} promotions",
        ),
    ]
