"""The server of an environment that the wheel was installed into."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest


@contextmanager
def serving(
    environment: Path, folder: Path, *arguments: str
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """`flagrank serve` in a folder, ready, and its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    command = [str(environment / "bin" / "flagrank"), "serve", "--port", str(port), *arguments]
    process = subprocess.Popen(command, cwd=folder)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_until_ready(process, address)
        yield process, address
    finally:
        process.kill()
        process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], address: str) -> None:
    until = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < until:
        try:
            if httpx.get(f"{address}/readyz").is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    pytest.fail(f"not ready; exit code {process.poll()}")
