"""Wires a role from its settings: verifies and loads the model, assembles the application, runs it, closes in reverse order."""

import asyncio
import socket
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path
from types import FrameType

import msgspec
import uvicorn
from starlette.types import ASGIApp

from flagrank.api.application import create_application
from flagrank.api.guard import Guard
from flagrank.api.prediction import PredictionRoute
from flagrank.api.request_body import BodyReader
from flagrank.api.request_id import RequestId
from flagrank.scoring.coalescer import CoalescingScorer
from flagrank.scoring.columns import ColumnEncoder
from flagrank.scoring.package import Package, read_package
from flagrank.scoring.session import ModelSession
from flagrank.scoring.verification import check_golden, verify_package
from flagrank.settings import Settings, load_schema
from flagrank.triage.errors import SettingsRefused
from flagrank.triage.feature_schema import FeatureSchema, check_serves
from flagrank.triage.policy import DEFAULT_POLICY
from flagrank.triage.ports import Scorer
from flagrank.triage.report_decoding import ReportDecoder


BACKLOG = 2_048


class Model(msgspec.Struct, frozen=True):
    """A package that passed its verification, and its session in this process."""

    package: Package
    session: ModelSession


def load_model(path: Path) -> Model:
    """Read, verify in a child process, load and warm a package; raises `PackageRefused`. Blocks for about a second."""
    package = read_package(path)
    verify_package(package)
    session = ModelSession(package.model, package.manifest.schema.names)
    check_golden(session, package.golden)
    return Model(package, session)


def serve(
    settings: Settings, model_path: Path | None, schema_path: Path | None, announce: Callable[[str, Model | None], None]
) -> None:
    """Answer HTTP until a signal says to stop; `announce` is called with the address when requests are welcome."""
    _check_address(settings)
    listener = _listen(settings)
    with listener:
        model = load_model(model_path) if model_path else None
        schema = load_schema(schema_path) if schema_path or not model else model.package.manifest.schema
        if model:
            check_serves(schema, model.package.manifest.schema, str(schema_path or "the schema"))
        with asyncio.Runner(loop_factory=_new_event_loop) as runner:
            runner.run(_run(settings, listener, model, schema, announce))


async def _run(
    settings: Settings,
    listener: socket.socket,
    model: Model | None,
    schema: FeatureSchema,
    announce: Callable[[str, Model | None], None],
) -> None:
    async with AsyncExitStack() as stack:
        scorer = None
        if model:
            encoder = ColumnEncoder(model.package.manifest.schema, read_as=schema)
            scorer = await stack.enter_async_context(CoalescingScorer(model.package.identity, model.session, encoder))
        executor = stack.enter_context(ThreadPoolExecutor(max_workers=1, thread_name_prefix="codec"))
        server: DrainingServer

        def is_draining() -> bool:
            return server.is_draining

        application = assemble(settings, schema, scorer, executor, is_draining)
        server = DrainingServer(_configure(application, settings), settings.drain_time)
        host, port = listener.getsockname()[:2]
        announce(f"http://{f'[{host}]' if ':' in host else host}:{port}", model)
        await server.serve(sockets=[listener])


def assemble(
    settings: Settings,
    schema: FeatureSchema,
    scorer: Scorer | None,
    executor: ThreadPoolExecutor,
    is_draining: Callable[[], bool],
) -> ASGIApp:
    """The whole ASGI application: routes, then the middleware that every request passes."""
    policy = DEFAULT_POLICY
    decoder = ReportDecoder(schema, policy.severities)
    reader = BodyReader(settings.body_limit_bytes, settings.body_timeout_seconds)

    def find_reasons() -> list[str]:
        reasons = [] if scorer else ["No model is loaded: start the server with --demo, or with --model DIR."]
        return [*reasons, "The server is shutting down: send requests elsewhere."] if is_draining() else reasons

    prediction = PredictionRoute(decoder, scorer, policy, reader, executor)
    application = create_application(prediction, schema, policy.severities, find_reasons)
    return RequestId(Guard(application, settings.allowed_hosts), is_draining)


class DrainingServer(uvicorn.Server):
    """uvicorn, but SIGTERM first drains: readyz turns 503 while requests are still answered, then the listener closes.

    A subclass because uvicorn offers no other hook; it also leaves the signal unrepeated, so that the exit code is 0.
    """

    def __init__(self, config: uvicorn.Config, drain_seconds: float) -> None:
        super().__init__(config)
        self._drain_seconds = drain_seconds
        self._drained_at: float | None = None

    @property
    def is_draining(self) -> bool:
        """Whether a signal has asked this process to stop."""
        return self._drained_at is not None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Start to drain; a second signal stops at once."""
        del sig, frame
        is_second = self.is_draining
        self._drained_at = time.monotonic() + (0.0 if is_second else self._drain_seconds)
        self.force_exit = is_second

    async def on_tick(self, counter: int) -> bool:
        """Whether it is time to stop; uvicorn asks ten times a second."""
        if self._drained_at is not None and time.monotonic() >= self._drained_at:
            self.should_exit = True
        return await super().on_tick(counter)


def _configure(application: ASGIApp, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        interface="asgi3",
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=settings.idle_timeout_seconds,
        timeout_graceful_shutdown=settings.shutdown_timeout_seconds,
    )


def _new_event_loop() -> asyncio.AbstractEventLoop:
    import uvloop

    return uvloop.new_event_loop()


def _check_address(settings: Settings) -> None:
    if settings.is_loopback:
        return
    if not settings.allow_no_keys:
        raise SettingsRefused(
            f"The address {settings.host} can be reached from other machines, and no key guards this server. Serve on 127.0.0.1, "
            "or set FLAGRANK_ALLOW_NO_KEYS=true where something else guards it."
        )
    sys.stderr.write(f"Warning: anyone who reaches {settings.host} may use this server: no key guards it.\n")


def _listen(settings: Settings) -> socket.socket:
    """A listening socket; connections wait in its backlog until the model is loaded."""
    try:
        family, _, _, _, address = socket.getaddrinfo(
            settings.host.strip("[]"), settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        raise SettingsRefused(
            f"{settings.host}:{settings.port} can't be listened on: {error.strerror or error}. "
            "Stop what listens there, or choose another --port or --host."
        ) from error
