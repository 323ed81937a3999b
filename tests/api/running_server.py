"""A real `flagrank serve` process and a client that sees what goes over its socket."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPMessage, HTTPResponse
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

FLAGRANK = str(Path(sys.executable).with_name("flagrank"))
PATIENCE_SECONDS = 30.0
REPORT: dict[str, Any] = {
    "abuse_type": "MSG",
    "report_text_len": 0,
    "profile_rating": 0,
    "popularity": 0,
}
JSON_TYPE = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Answer:
    """One HTTP response, read to its end."""

    status: int
    headers: HTTPMessage
    body: bytes

    @property
    def document(self) -> Any:  # noqa: ANN401 - any JSON value
        """The body as JSON."""
        return json.loads(self.body)


def read_answer(connection: socket.socket, method: str = "POST") -> Answer:
    """The next response of a connection; raises `ConnectionError` where it ends before one."""
    response = HTTPResponse(connection, method=method)
    response.begin()
    return Answer(response.status, response.headers, response.read())


def read_answers(connection: socket.socket) -> list[Answer]:
    """All responses of a connection until the server closes it."""
    pieces = []
    while piece := connection.recv(65_536):
        pieces.append(piece)
    replay = _Replay(b"".join(pieces))
    answers = []
    while replay.has_more:
        response = HTTPResponse(replay)  # type: ignore[arg-type]  # it only makes a file of it
        response.begin()
        answers.append(Answer(response.status, response.headers, response.read()))
    return answers


class _Replay:
    """Received bytes as a socket: each response leaves what follows it to the next."""

    def __init__(self, data: bytes) -> None:
        self._file = _OpenFile(data)

    @property
    def has_more(self) -> bool:
        return self._file.tell() < len(self._file.getbuffer())

    def makefile(self, _mode: str) -> "_OpenFile":
        return self._file


class _OpenFile(io.BytesIO):
    def close(self) -> None:
        """Stay open for the next response."""


def write_head(method: str, path: str, headers: Mapping[str, str]) -> bytes:
    """The head of a request, with nothing added."""
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


@dataclass(frozen=True)
class RunningServer:
    """A server of this test run."""

    process: subprocess.Popen[bytes]
    url: str
    model: Mapping[str, str] | None

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        parts = urlsplit(self.url)
        assert parts.hostname
        assert parts.port
        return parts.hostname, parts.port

    @property
    def host(self) -> str:
        """What a client writes into `Host`."""
        return urlsplit(self.url).netloc

    def connect(self) -> socket.socket:
        """A new connection."""
        return socket.create_connection(self.address, timeout=PATIENCE_SECONDS)

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One request on a connection of its own; a header given as "" is not sent."""
        fields = {"Host": self.host, "Connection": "close"}
        if body is not None:
            fields |= {"Content-Length": str(len(body))}
        fields = {name: value for name, value in {**fields, **(headers or {})}.items() if value}
        return self.send(write_head(method, path, fields) + (body or b""), method)

    def send(self, request: bytes, method: str = "POST") -> Answer:
        """These bytes on a connection of their own, and the first answer to them."""
        with self.connect() as connection:
            with suppress(ConnectionError):  # the server has answered and hung up before the end
                connection.sendall(request)
            return read_answer(connection, method)

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        """A GET."""
        return self.ask("GET", path, headers=headers)

    def predict(self, body: bytes | object, headers: Mapping[str, str] | None = None) -> Answer:
        """`POST /prediction` with bytes, or with a value as JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.ask("POST", "/prediction", content, {**JSON_TYPE, **(headers or {})})

    def submit(
        self, body: bytes | object, query: str = "", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """`POST /predict` with bytes, or with a value as JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.ask("POST", f"/predict{query}", content, {**JSON_TYPE, **(headers or {})})

    def read_memory(self) -> int:
        """The most bytes that the process has held in memory so far."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024

    def signal(self, number: int = signal.SIGTERM) -> None:
        """Ask the process to stop."""
        self.process.send_signal(number)

    def wait(self) -> int:
        """The exit code, once the process has ended."""
        return self.process.wait(PATIENCE_SECONDS)


@contextmanager
def running_server(*arguments: str, **settings: object) -> Iterator[RunningServer]:
    """Start `flagrank serve` on a free port, with settings by environment; stop it at the end.

    Where no `data_dir` is given its database is one of its own, and goes with it.
    """
    command = [FLAGRANK, "serve", "--port", "0", "--json", *arguments]
    with TemporaryDirectory(prefix="flagrank-test-", ignore_cleanup_errors=True) as folder:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, env=make_environment({"data_dir": folder} | settings)
        )
        assert process.stdout
        try:
            text = b"".join(iter(process.stdout.readline, b"}\n")) + b"}"
            announced = json.loads(text)
            yield RunningServer(process, announced["url"], announced["model"])
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


def make_environment(settings: Mapping[str, object]) -> dict[str, str]:
    """This process's environment with settings of flagrank."""
    named = {f"FLAGRANK_{name.upper()}": str(value) for name, value in settings.items()}
    return {**os.environ, **named}
