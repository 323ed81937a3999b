"""A worker's own port: its metrics and how it is, by the server's rules for hosts, keys and problems."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from socket import socket

import msgspec
import uvicorn
import uvloop
from starlette.types import ASGIApp

from flagrank.api.entrance import Entrance
from flagrank.api.guard import Guard
from flagrank.api.keys import KeyRing
from flagrank.api.metrics import MetricsRoute
from flagrank.api.store_watch import StoreWatch
from flagrank.api.worker_routes import make_health_routes, make_nothing_else
from flagrank.service.champion import ChampionWatch
from flagrank.service.server import configure, describe_address, listen
from flagrank.settings import Settings
from flagrank.storage.api_keys import StoredApiKeys
from flagrank.storage.engine import Database
from flagrank.storage.task_reading import StoredTaskReading
from flagrank.telemetry import Metrics
from flagrank.triage.ports import ModelIdentity


@contextmanager
def answering(
    settings: Settings, port: int, database: Database, models: ChampionWatch, metrics: Metrics
) -> Iterator[str]:
    """Answer on this port, from a thread, until the end of the block; the address as a URL.

    Raises `SettingsRefused` where the address can't be had, or others could reach it and no key guards it.
    """
    settings = msgspec.structs.replace(settings, port=port)
    with ExitStack() as stack:
        has_keys = StoredApiKeys(database).has_keys()
        listener = stack.enter_context(listen(settings, has_keys=has_keys))
        threads = stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="store"))
        keys = KeyRing(StoredApiKeys(database), threads)
        watch = stack.enter_context(_watch_store(settings, database, keys))
        application = _assemble(settings.allowed_hosts, models, watch, keys, metrics)
        server = uvicorn.Server(configure(application, settings))
        thread = threading.Thread(target=_run, args=(server, listener), name="worker-server")
        thread.start()
        stack.callback(thread.join)
        stack.callback(partial(setattr, server, "should_exit", True))  # noqa: FBT003 - the attribute's value
        yield describe_address(listener)


def _watch_store(settings: Settings, database: Database, keys: KeyRing) -> StoreWatch:
    return StoreWatch(
        StoredTaskReading(database),
        keys,
        most_tasks=settings.backlog_tasks,
        least_free_bytes=settings.least_free_bytes,
        read_free_bytes=None,  # a worker takes no task in
        read_oldest_snapshot_seconds=database.read_oldest_snapshot_seconds,
    )


def _assemble(
    allowed_hosts: tuple[str, ...],
    models: ChampionWatch,
    watch: StoreWatch,
    keys: KeyRing,
    metrics: Metrics,
) -> ASGIApp:
    def find_reasons() -> list[str]:
        no_model = "No model is promoted: tasks wait until `flagrank model promote VERSION`."
        return [*([] if models.find_lineup() else [no_model]), *watch.find_reasons()]

    def find_model() -> ModelIdentity | None:
        lineup = models.find_lineup()
        return lineup.champion.model if lineup else None

    shown = MetricsRoute(metrics, find_model, find_reasons, watch, models.read_drift)
    return Entrance(
        make_nothing_else(),
        {**make_health_routes(find_reasons), ("GET", "/metrics"): shown},
        Guard(allowed_hosts),
        keys,
        is_draining=lambda: False,
        observe=metrics.requests.observe,
    )


def _run(server: uvicorn.Server, listener: socket) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(server.serve(sockets=[listener]))
