"""uvicorn as this service runs it: where it listens, what it is set to, and how it stops."""

import asyncio
import gc
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from flagrank.service.connection import Connection
from flagrank.settings import Settings
from flagrank.triage.errors import SettingsRefused

BACKLOG = 2_048


def listen(settings: Settings, *, has_keys: bool) -> socket.socket:
    """A listening socket, whose connections wait in its backlog until they are served.

    Raises `SettingsRefused` where the address can't be had, or others could reach it and no key guards it.
    """
    if not (settings.is_loopback or settings.allow_no_keys or has_keys):
        raise SettingsRefused(
            f"The address {settings.host} can be reached from other machines, and no key guards this server. "
            "Serve on 127.0.0.1, make a key with `flagrank keys create`, or set FLAGRANK_ALLOW_NO_KEYS=true "
            "where something else guards it."
        )
    try:
        family, _, _, _, address = socket.getaddrinfo(
            settings.host.strip("[]"), settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.create_server((str(address[0]), settings.port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise SettingsRefused(
            f"{settings.host}:{settings.port} can't be listened on: {_name_reason(error)}. "
            "Stop what listens there, or choose another --port or --host."
        ) from error
    if not (settings.is_loopback or has_keys):
        sys.stderr.write(f"Warning: anyone who reaches {settings.host} may use this server without a key.\n")
    return listener


def _name_reason(error: OSError) -> str:
    """The system's own words: Python adds the address again to those of a failed bind."""
    return os.strerror(error.errno) if error.errno and error.errno > 0 else str(error.strerror)


def describe_address(listener: socket.socket) -> str:
    """The address of a listening socket as a URL."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def configure(application: ASGIApp, settings: Settings) -> uvicorn.Config:
    """What uvicorn is set to. Errors of ours are logged; what clients do wrong is answered and not logged."""
    connection: Any = partial(Connection, patience_seconds=settings.body_timeout_seconds)
    return uvicorn.Config(
        application,
        loop="uvloop",
        http=connection,
        ws="none",
        lifespan="off",
        interface="asgi3",
        access_log=False,
        log_level="error",
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=settings.idle_timeout_seconds,
        timeout_graceful_shutdown=settings.shutdown_timeout_seconds,
    )


class Drain:
    """The time between the signal to stop and the listener's end, in which requests are still answered."""

    def __init__(self, seconds: float) -> None:
        self.began = False
        self._seconds = seconds
        self._ends_at = 0.0
        self._when_begun: Callable[[], object] | None = None

    @property
    def is_over(self) -> bool:
        """Whether it is time to close the listener."""
        return self.began and time.monotonic() >= self._ends_at

    def when_begun(self, call: Callable[[], None]) -> None:
        """Call this on the running event loop once the drain has begun."""
        loop = asyncio.get_running_loop()
        self._when_begun = partial(loop.call_soon_threadsafe, call)

    def begin(self) -> None:
        """Send requests elsewhere from now on; from a signal or any thread."""
        if self.began:
            return
        self._ends_at = time.monotonic() + self._seconds
        self.began = True
        if self._when_begun is not None:
            self._when_begun()


class DrainingServer(uvicorn.Server):
    """uvicorn, but a signal first begins the drain.

    A subclass because uvicorn offers no other hook. It leaves the signal unrepeated: the exit code is 0.
    """

    def __init__(self, config: uvicorn.Config, drain: Drain, when_started: Callable[[], None]) -> None:
        """`when_started` is called once connections are accepted and signals heeded."""
        super().__init__(config)
        self._drain = drain
        self._when_started = when_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept connections."""
        await super().startup(sockets)
        _calm_garbage_collector()
        self._when_started()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain; a second SIGINT, from a person who will not wait, stops at once.

        A second SIGTERM does not: make and process managers send one to the group and one to the child.
        """
        del frame
        if not self._drain.began:
            self._drain.begin()
        elif sig == signal.SIGINT:
            self.should_exit = self.force_exit = True

    async def on_tick(self, counter: int) -> bool:
        """Whether it is time to stop; uvicorn asks ten times a second."""
        self.should_exit |= self._drain.is_over
        return await super().on_tick(counter)


def _calm_garbage_collector() -> None:
    """Look for cycles less often.

    By default it would look through all requests in flight after every ten of them: a fifth of the time at
    64 connections (measured), and they leave none. What was loaded at the start stays.
    """
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)
