"""Wires a role from its settings: loads the model, assembles and runs the application, closes in order."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from socket import socket

import msgspec
import uvloop
from starlette.types import ASGIApp

from flagrank.api.application import create_application
from flagrank.api.entrance import Entrance
from flagrank.api.guard import Guard
from flagrank.api.prediction import PredictionRoute
from flagrank.api.request_body import BodyReader
from flagrank.scoring.coalescer import CoalescingScorer
from flagrank.scoring.columns import ColumnEncoder
from flagrank.scoring.package import Package, read_package
from flagrank.scoring.session import ModelSession
from flagrank.scoring.verification import check_golden, verify_package
from flagrank.service.server import Drain, DrainingServer, configure, describe_address, listen
from flagrank.settings import Settings, load_schema
from flagrank.triage.feature_schema import FeatureSchema, check_serves
from flagrank.triage.policy import DEFAULT_POLICY
from flagrank.triage.ports import Scorer
from flagrank.triage.report_decoding import ReportDecoder


class Model(msgspec.Struct, frozen=True):
    """A package that passed its verification, and its session in this process."""

    package: Package
    session: ModelSession


Announce = Callable[[str, Model | None], None]


def load_model(path: Path) -> Model:
    """Read, verify in a child process, load and warm a package. Blocks for about a second.

    Raises `PackageRefused`.
    """
    package = read_package(path)
    verify_package(package)
    session = ModelSession(package.model, package.manifest.schema.names)
    check_golden(session, package.golden)
    return Model(package, session)


def serve(settings: Settings, model_path: Path | None, schema_path: Path | None, announce: Announce) -> None:
    """Answer HTTP until a signal says to stop; `announce` hears the address when requests are welcome.

    Raises `FlagrankError` where the settings, the model or the schema are refused. Blocks.
    """
    with listen(settings) as listener:
        model = load_model(model_path) if model_path else None
        schema = load_schema(schema_path) if schema_path or not model else model.package.manifest.schema
        if model:
            check_serves(schema, model.package.manifest.schema, str(schema_path or "the schema"))
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(settings, listener, model, schema, announce))


async def _run(
    settings: Settings, listener: socket, model: Model | None, schema: FeatureSchema, announce: Announce
) -> None:
    drain = Drain(settings.drain_time)
    async with AsyncExitStack() as stack:
        scorer = None
        if model:
            encoder = ColumnEncoder(model.package.manifest.schema, read_as=schema)
            coalescer = CoalescingScorer(model.package.identity, model.session, encoder)
            scorer = await stack.enter_async_context(coalescer)
        executor = stack.enter_context(ThreadPoolExecutor(max_workers=1, thread_name_prefix="codec"))
        application = assemble(settings, schema, scorer, executor, drain)
        when_started = partial(announce, describe_address(listener), model)
        server = DrainingServer(configure(application, settings), drain, when_started)
        await server.serve(sockets=[listener])


def assemble(
    settings: Settings, schema: FeatureSchema, scorer: Scorer | None, executor: Executor, drain: Drain
) -> ASGIApp:
    """The whole ASGI application."""
    policy = DEFAULT_POLICY

    def find_reasons() -> list[str]:
        reasons = [] if scorer else ["No model is loaded: start the server with --demo, or with --model DIR."]
        return [*reasons, "The server is shutting down: send requests elsewhere."] if drain.began else reasons

    decoder = ReportDecoder(schema, policy.severities)
    prediction = PredictionRoute(decoder, scorer, policy, BodyReader(settings.body_limit_bytes), executor)
    application = create_application(prediction, schema, policy.severities, find_reasons)
    return Entrance(application, prediction, Guard(settings.allowed_hosts), lambda: drain.began)
