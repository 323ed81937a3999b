"""The peers as contenders: one-report tasks accepted, scored and readable, measured as our own are."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import psycopg

from benchmarks.peers.redis_server import Sync, count_results, running_redis
from benchmarks.peers.submission import Submitted
from benchmarks.processes import BUILD, PYTHON, free_port, running
from benchmarks.rows import request_bodies
from benchmarks.task_client import Throughput, submit_and_drain, wait_until_scored

ENVIRONMENT = Path(".cache/peers")
LOCK = Path("requirements/peers.txt")
CELERY_PROCESSES = 2
DIFFERENT_BODIES = 2_000

Peer = Callable[[float], Throughput]


@dataclass(frozen=True, slots=True)
class RunningPgQueuer:
    """PgQueuer behind a plain HTTP route, which is our work, and with submitters of its own beside it."""

    over_http: Peer
    direct: Peer


def make_environment() -> None:
    """Install the peers and what serving needs from the lock, hashes checked, unless that is done."""
    stamp = ENVIRONMENT / "lock.txt"
    if stamp.exists() and stamp.read_bytes() == LOCK.read_bytes():
        return
    shutil.rmtree(ENVIRONMENT, ignore_errors=True)
    subprocess.run([PYTHON, "-m", "venv", ENVIRONMENT], check=True)
    install = [_program("python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, "--require-hashes", "-r", LOCK], check=True)
    stamp.write_bytes(LOCK.read_bytes())


@contextmanager
def running_pgqueuer(url: str, package: Path) -> Iterator[RunningPgQueuer]:
    """PgQueuer with one worker process on this PostgreSQL database."""
    module = ["-m", "benchmarks.peers.pgqueuer_work"]
    _run(module, "install", url)

    def count() -> int:
        with psycopg.connect(url) as connection:
            row = connection.execute("SELECT count(*) FROM peer_result").fetchone()
        return row[0] if row else 0

    with _worker([_program("python"), *module, "work", url, str(package)], {}):
        port = free_port()
        server = [_program("python"), *module, "serve", url, str(port)]
        bodies = request_bodies(1, DIFFERENT_BODIES)
        with running(server, port, "/openapi.json", environment=_environment({})):
            yield RunningPgQueuer(
                lambda seconds: submit_and_drain(port, bodies, seconds, count),
                lambda seconds: _measure(lambda: _run(module, "submit", url, str(seconds)), count),
            )


@contextmanager
def running_celery(appendfsync: Sync, package: Path) -> Iterator[Peer]:
    """Celery with two worker processes on a Redis of its own."""
    module = "benchmarks.peers.celery_work"
    with running_redis(appendfsync) as port:
        environment = {"PEER_REDIS_URL": f"redis://127.0.0.1:{port}", "PEER_PACKAGE": str(package)}
        worker = ["worker", "--concurrency", str(CELERY_PROCESSES), "--loglevel", "WARNING"]
        quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        with _worker([_program("celery"), "-A", module, *worker, *quiet], environment):
            yield lambda seconds: _measure(
                lambda: _run(["-m", module], "submit", str(seconds), environment=environment),
                lambda: count_results(port),
            )


def _measure(submit: Callable[[], bytes], count: Callable[[], int]) -> Throughput:
    before = count()
    submitted = msgspec.json.decode(submit(), type=Submitted)
    wait_until_scored(count, before + submitted.tasks)
    seconds = time.time() - submitted.began_at
    return Throughput(submitted.tasks, seconds, submitted.accepted_at - submitted.began_at)


@contextmanager
def _worker(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[None]:
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / "peer.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=_environment(environment))
        try:
            yield
        finally:
            process.terminate()
            process.wait(60)


def _run(module: Sequence[str], *arguments: str, environment: Mapping[str, str] | None = None) -> bytes:
    command = [_program("python"), *module, *arguments]
    ran = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=_environment(environment or {}))
    return ran.stdout


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"src{os.pathsep}.", **more}


def _program(name: str) -> str:
    return str(ENVIRONMENT / "bin" / name)
