"""What starting costs: CPU until help and until readiness, resident memory, and the size of an install."""

import os
import resource
import statistics
import subprocess
import tempfile
from pathlib import Path

from benchmarks.load import LoadGenerator, build_request
from benchmarks.processes import FLAGRANK, PYTHON, free_port, running
from benchmarks.rows import request_bodies
from benchmarks.tables import Figure, print_figures, progress

REPEATS = 5


def main(*, with_install: bool) -> None:
    """Measure and print; with the install it needs the package index and takes a minute more."""
    figures = [_measure_help(), *_measure_serve()]
    if with_install:
        figures.append(_measure_install())
    print_figures("Start", figures)


def _measure_help() -> Figure:
    progress.print("flagrank --help ...")
    seconds = []
    for _ in range(REPEATS + 1):
        before = _children_cpu()
        subprocess.run([FLAGRANK, "--help"], check=True, capture_output=True)
        seconds.append(_children_cpu() - before)
    how = f"CPU, user and system, median of {REPEATS} after a first run that writes byte code"
    return Figure("flagrank --help", statistics.median(seconds[1:]), "s", 0.3, how=how)


def _measure_serve() -> list[Figure]:
    cpu, memory = [], []
    for _ in range(REPEATS):
        progress.print("flagrank serve --demo ...")
        port = free_port()
        with tempfile.TemporaryDirectory() as data:
            command = [FLAGRANK, "serve", "--demo", "--port", str(port)]
            with running(command, port, "/readyz", core=0, environment={"FLAGRANK_DATA_DIR": data}) as server:
                cpu.append(server.ready_cpu_seconds)
                _warm(port)
                memory.append(server.resident_mebibytes())
    return [
        Figure(
            "serve --demo until ready",
            statistics.median(cpu),
            "s",
            1.5,
            how=f"CPU of the process and its children until /readyz is 200, median of {REPEATS}",
        ),
        Figure(
            "resident memory of the api process",
            statistics.median(memory),
            "MiB",
            165,
            how="VmRSS after a second of requests of 1 and of 1,000 reports on 8 connections",
        ),
    ]


def _warm(port: int) -> None:
    for rows in (1, 1000):
        requests = [build_request("/prediction", body, port) for body in request_bodies(rows, 4)]
        load = LoadGenerator(port, requests, 8)
        load.start()
        load.run(0.5, lambda: 0.0)
        load.finish()


def _measure_install() -> Figure:
    progress.print("installing the serving parts ...")
    with tempfile.TemporaryDirectory() as target:
        install = [PYTHON, "-m", "pip", "install", "--quiet", "--quiet", "--no-compile", "--target", target]
        subprocess.run([*install, "--requirement", "requirements/serve.txt"], check=True)
        subprocess.run([*install, "--no-deps", "--no-build-isolation", "."], check=True)
        files = (Path(folder) / name for folder, _, names in os.walk(target) for name in names)
        size = sum(file.lstat().st_blocks * 512 for file in files if file.suffix != ".pyc")
    how = "blocks on disk of requirements/serve.txt and flagrank, byte code not counted"
    return Figure("base install", size / 1e6, "MB", 220, how=how)


def _children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
