"""Starting servers on one core and reading what they use."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

BUILD = Path("build/benchmarks")
PYTHON = sys.executable
FLAGRANK = str(Path(PYTHON).with_name("flagrank"))
READY_SECONDS = 60.0
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class ServerFailed(Exception):
    """A server ended or did not get ready."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    process_id: int
    port: int
    ready_cpu_seconds: float

    def read_cpu(self) -> float:
        """Return the CPU seconds, user and system, of the process and its children, dead or alive."""
        return sum(_cpu_seconds(pid) for pid in _family(self.process_id))

    def resident_mebibytes(self) -> float:
        """Return the resident memory of the process alone."""
        return _resident_mebibytes(self.process_id)

    def all_resident_mebibytes(self) -> float:
        """Return the resident memory of the process and its children; what they share counts for each."""
        return sum(_resident_mebibytes(pid) for pid in _family(self.process_id))


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """Run this thread on one core; what it starts meanwhile stays there."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def running(
    command: Sequence[str],
    port: int,
    ready_path: str,
    *,
    core: int | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """Run a server on `core`, or on all, until the block ends; yields it once `ready_path` answers 200."""
    BUILD.mkdir(parents=True, exist_ok=True)
    log_path = BUILD / "server.log"
    with log_path.open("wb") as log:
        with pinned(core) if core is not None else nullcontext():
            process = subprocess.Popen(
                command, stdout=log, stderr=log, env={**os.environ, **(environment or {})}
            )
        try:
            _wait_until_ready(process, f"http://127.0.0.1:{port}{ready_path}", log_path)
            cpu = sum(_cpu_seconds(pid) for pid in _family(process.pid))
            yield Server(process.pid, port, cpu)
        finally:
            process.terminate()
            process.wait(READY_SECONDS)


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, log_path: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - our own address
                return
        except OSError:
            time.sleep(0.02)
    raise ServerFailed(f"{url} is not ready; the server says: {log_path.read_text()[-2000:]}")


def _family(process_id: int) -> list[int]:
    """Return the process and all that descend from it."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
            parents[int(status.parent.name)] = int(_fields(status)[1])
    family = [process_id]
    for member in family:
        family.extend(child for child, parent in parents.items() if parent == member)
    return family


def _fields(status: Path) -> list[str]:
    """Return the fields of /proc/PID/stat behind the name, the state first."""
    return status.read_text().rpartition(")")[2].split()


def _resident_mebibytes(process_id: int) -> float:
    status = Path(f"/proc/{process_id}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def _cpu_seconds(process_id: int) -> float:
    user, system, children_user, children_system = map(int, _fields(Path(f"/proc/{process_id}/stat"))[11:15])
    return (user + system + children_user + children_system) / _TICKS_PER_SECOND


def post(port: int, path: str, body: bytes) -> bytes:
    """Return the answer's body."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=READY_SECONDS) as answer:  # noqa: S310 - the same
        content: bytes = answer.read()
        return content


def free_port() -> int:
    """Return a port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
