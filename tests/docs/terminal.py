"""Runs a page's commands as a reader would: block after block, in one folder, a server in the background."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from tests.docs.documents import ROOT, Block

DEFAULT_PORT = 8081
MAKE_SERVE = "make serve"
LOAD = "python load.py"  # runs in a terminal of its own until Ctrl-C
SERVED = "flagrank serve --demo"  # what `make serve` runs when it has installed; test_pages checks that
PATIENCE_SECONDS = 60


class Terminal:
    """A folder that looks like a checkout, with the commands of this environment. Used in `with`."""

    def __init__(self, folder: Path) -> None:
        for name in ("examples", "tests"):
            (folder / name).symlink_to(ROOT / name)
        self._found: dict[str, str] = {}
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port: int = listener.getsockname()[1]
        self._folder = folder
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("FLAGRANK_")},
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "FLAGRANK_PORT": str(self.port),
            "COLUMNS": "100",
        }
        self._server: subprocess.Popen[bytes] | None = None
        self._load: subprocess.Popen[str] | None = None

    def write(self, name: str, text: str) -> None:
        """Save a file that the page shows."""
        (self._folder / name).write_text(self._address(text))

    def note(self, said: str, found: str) -> None:
        """Put an id that was printed in place of the one on the page from now on."""
        self._found[said] = found

    def run(self, block: Block) -> str:
        """What a block prints on standard output; of one that ends by serving, what the server announces."""
        *before, last = block.text.rstrip("\n").split("\n")
        if last == LOAD:
            self._run_script("\n".join(before))
            # A shell that starts tests in the background lets them ignore SIGINT, and all that they start.
            command = ["env", "--default-signal=INT", *LOAD.split()]
            self._load = subprocess.Popen(
                command, cwd=self._folder, env=self._environment, stdout=subprocess.PIPE, text=True
            )
            return ""
        if last != MAKE_SERVE and not last.startswith("flagrank serve"):
            return self._run_script(block.text)
        self._run_script("\n".join(before))
        return self._serve(SERVED if last == MAKE_SERVE else last)

    def stop_load(self) -> str:
        """Press Ctrl-C where `LOAD` runs; what it has printed."""
        assert self._load is not None, f"no block is {LOAD}"
        load, self._load = self._load, None
        load.send_signal(signal.SIGINT)
        printed, _ = load.communicate(timeout=PATIENCE_SECONDS)
        return printed

    def _address(self, text: str) -> str:
        return text.replace(f"127.0.0.1:{DEFAULT_PORT}", f"127.0.0.1:{self.port}")

    def _run_script(self, script: str) -> str:
        asked = self._address(script)
        for said, found in self._found.items():
            asked = asked.replace(said, found)
        done = subprocess.run(
            [_find_bash(), "-euo", "pipefail", "-c", asked],
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stderr}"
        return done.stdout

    def _serve(self, command: str) -> str:
        self._stop()
        log = self._folder / "server.log"
        with log.open("wb") as stream:
            self._server = subprocess.Popen(
                command.split(), cwd=self._folder, env=self._environment, stderr=stream
            )
        until = time.monotonic() + PATIENCE_SECONDS
        while not self._is_ready():
            assert self._server.poll() is None, log.read_text()
            assert time.monotonic() < until, f"{command} is not ready"
            time.sleep(0.05)
        return log.read_text().replace(f":{self.port}", f":{DEFAULT_PORT}")

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/readyz").is_success
        except httpx.TransportError:
            return False

    def _stop(self) -> None:
        if self._server is not None:
            self._server.send_signal(signal.SIGINT)  # what Ctrl-C sends
            assert self._server.wait(PATIENCE_SECONDS) == 0
        self._server = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._stop()
        finally:
            for process in (self._server, self._load):
                if process is not None:
                    process.kill()
                    process.communicate()


def tell_apart(expected: str, found: str) -> str | None:
    """The first word in which two outputs differ, or None.

    Numbers that a fit brings forth may differ by a twentieth: processors round differently, and XGBoost sums
    in another order. Hashes and times are not compared.
    """
    words, others = (text.split() for text in (expected, found))
    if len(words) != len(others):
        return f"{len(words)} words on the page, {len(others)} printed:\n{found}"
    for word, other in zip(words, others, strict=True):
        if _mask(word) != _mask(other) and not _are_close(word, other):
            return f"{word!r} on the page, {other!r} printed:\n{found}"
    return None


def tell_words_apart(expected: str, found: str) -> str | None:
    """The same where figures, hashes and users are others each time: only the words around them count."""
    other = r"[0-9a-f]{64}|user:\w+|\d[\d,.]*"
    return tell_apart(*(re.sub(other, "0", text) for text in (expected, found)))


def _mask(word: str) -> str:
    word = re.sub(r"sha256:[0-9a-f]{12}", "sha256:", word)
    return re.sub(r"20\d\d-\d\d-\d\dT[\d:]+Z", "time", word)


def _are_close(word: str, other: str) -> bool:
    try:
        first, second = (float(text.strip("(),%").replace(",", "")) for text in (word, other))
    except ValueError:
        return False
    return abs(first - second) <= max(0.05 * abs(first), 0.005)


def _find_bash() -> str:
    found = shutil.which("bash")
    assert found, "bash is not installed"
    return found
