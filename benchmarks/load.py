"""A load generator in plain Python: kept connections in a closed loop, prebuilt requests, checked answers."""

import select
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle

PATIENCE_SECONDS = 30.0
_RECEIVE_BYTES = 1 << 16

Hear = Callable[[int, bytes, float], None]  # which connection, its answer, the seconds that took


class LoadFailed(Exception):
    """The server did not answer a request as expected, or not at all: nothing that was measured counts."""


@dataclass(frozen=True, slots=True)
class Round:
    """What one stretch of load saw."""

    requests: int
    seconds: float
    cpu_seconds: float

    @property
    def requests_per_second(self) -> float:
        """Answers a second of wall time."""
        return self.requests / self.seconds

    @property
    def cpu_per_request(self) -> float:
        """Seconds of the server's CPU time, user and system, an answer."""
        return self.cpu_seconds / self.requests


def build_request(path: str, body: bytes, port: int) -> bytes:
    """Return the bytes of a POST with a JSON body."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class LoadGenerator:
    """Keeps one request in flight on each of its connections, or as many as a pace asks for."""

    def __init__(
        self,
        port: int,
        requests: Sequence[bytes],
        connections: int,
        *,
        status: int = 200,
        hear: Hear | None = None,
    ) -> None:
        """Every answer must be of `status`, or is of any and heard by `hear`, which judges it."""
        self._hear = hear
        expected = b"HTTP/1.1 " if hear else b"HTTP/1.1 %d " % status
        self._requests = cycle(requests)
        self._epoll = select.epoll()
        opened = (_Connection(port, expected) for _ in range(connections))
        self._connections = {connection.fileno(): connection for connection in opened}
        for descriptor in self._connections:
            self._epoll.register(descriptor, select.EPOLLIN)

    def start(self) -> None:
        """Send the first request on every connection."""
        for connection in self._connections.values():
            self._send(connection)

    def run(self, seconds: float, read_cpu: Callable[[], float]) -> Round:
        """Answer each response with the next request for `seconds`; `read_cpu` tells the server's CPU time.

        Requests in flight at the start and at the end are as many, so they cancel. Raises `LoadFailed`.
        """
        answered = 0
        cpu = read_cpu()
        start = now = time.perf_counter()
        while now - start < seconds:
            answered += self._turn()
            now = time.perf_counter()
        return Round(answered, now - start, read_cpu() - cpu)

    def run_paced(self, seconds: float, per_second: float) -> None:
        """Send at an even pace, however fast the answers come, as far as the connections suffice.

        Instead of `start` and `run`.
        """
        idle = list(self._connections.values())
        sent = 0
        start = now = time.perf_counter()
        while now - start < seconds:
            while idle and sent < (now - start) * per_second:
                self._send(idle.pop())
                sent += 1
            for descriptor, _ in self._epoll.poll(0.001):
                connection = self._connections[descriptor]
                if connection.unsent:
                    self._send_rest(connection)
                elif connection.receive():
                    idle.append(connection)
            now = time.perf_counter()

    def finish(self) -> None:
        """Take the answers still due, so that the server is idle, and hang up."""
        waiting = {fd for fd, connection in self._connections.items()}
        while waiting:
            for descriptor, _ in self._poll():
                connection = self._connections[descriptor]
                if connection.unsent:
                    self._send_rest(connection)
                elif connection.receive():
                    waiting.discard(descriptor)
        for connection in self._connections.values():
            connection.close()
        self._epoll.close()

    def _turn(self) -> int:
        answered = 0
        for descriptor, _ in self._poll():
            connection = self._connections[descriptor]
            if connection.unsent:
                self._send_rest(connection)
            elif connection.receive():
                answered += 1
                if self._hear:
                    taken = time.perf_counter() - connection.sent_at
                    self._hear(descriptor, connection.answer, taken)
                self._send(connection)
        return answered

    def _poll(self) -> list[tuple[int, int]]:
        events = self._epoll.poll(PATIENCE_SECONDS)
        if not events:
            raise LoadFailed(f"no answer within {PATIENCE_SECONDS:g} s; look at the server's log")
        return events

    def _send(self, connection: "_Connection") -> None:
        connection.unsent = memoryview(next(self._requests))
        connection.sent_at = time.perf_counter()
        connection.send()
        if connection.unsent:
            self._epoll.modify(connection.fileno(), select.EPOLLOUT)

    def _send_rest(self, connection: "_Connection") -> None:
        connection.send()
        if not connection.unsent:
            self._epoll.modify(connection.fileno(), select.EPOLLIN)


class _Connection:
    __slots__ = ("_due", "_expected", "_received", "_socket", "answer", "sent_at", "unsent")

    def __init__(self, port: int, expected: bytes) -> None:
        self._expected = expected
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setblocking(False)  # noqa: FBT003 - its only parameter
        self._received = 0
        self._due = 0
        self.unsent = memoryview(b"")
        self.sent_at = 0.0
        self.answer = b""  # the last one; of one in pieces, the first, which has its head

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def send(self) -> None:
        try:
            sent = self._socket.send(self.unsent)
        except BlockingIOError:
            return
        self.unsent = self.unsent[sent:]

    def receive(self) -> bool:
        """Take what has come; whether the answer is whole. The head of an answer comes in one piece."""
        data = self._socket.recv(_RECEIVE_BYTES)
        if not self._due:
            if not data.startswith(self._expected):
                raise LoadFailed(f"the server answered {data[:1000]!r}" if data else "the server hung up")
            self._due = data.index(b"\r\n\r\n") + 4 + _content_length(data)
            self.answer = data
        self._received += len(data)
        if self._received < self._due:
            if not data:
                raise LoadFailed("the server hung up in the middle of an answer")
            return False
        self._received = self._due = 0
        return True


def _content_length(head: bytes) -> int:
    start = head.find(b"ontent-length: ")
    if start < 0:
        start = head.index(b"ontent-Length: ")
    return int(head[start + 15 : head.index(b"\r", start)])
