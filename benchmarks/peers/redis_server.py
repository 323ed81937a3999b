"""A Redis server of its own that writes every change to an append-only file, and how many results it has."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from benchmarks.processes import ServerFailed, free_port

Sync = Literal["always", "everysec"]
READY_SECONDS = 10.0


@contextmanager
def running_redis(appendfsync: Sync) -> Iterator[int]:
    """Run Debian's redis-server with this setting until the block ends; yields its port."""
    program = shutil.which("redis-server")
    if program is None:
        raise ServerFailed("redis-server is missing. Install it: apt-get install redis-server")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="flagrank-redis-") as folder:
        options = {"port": port, "bind": "127.0.0.1", "dir": folder, "save": "", "appendonly": "yes"}
        options["appendfsync"] = appendfsync
        command = [program, *(word for name, value in options.items() for word in (f"--{name}", str(value)))]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            _wait_until_ready(port)
            yield port
        finally:
            process.terminate()
            process.wait(READY_SECONDS)


def count_results(port: int) -> int:
    """How many keys its database 1 has: one for each result."""
    with socket.create_connection(("127.0.0.1", port), timeout=READY_SECONDS) as connection:
        connection.sendall(b"SELECT 1\r\nDBSIZE\r\n")
        with connection.makefile("rb") as answers:
            answers.readline()
            return int(answers.readline().strip().lstrip(b":"))


def _wait_until_ready(port: int) -> None:
    until = time.monotonic() + READY_SECONDS
    while True:
        try:
            count_results(port)
        except (OSError, ValueError) as error:
            if time.monotonic() > until:
                raise ServerFailed("redis-server does not answer") from error
            time.sleep(0.05)
        else:
            return
