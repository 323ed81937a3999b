"""The role that answers HTTP: assembles the application around one database, and runs it to its end."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from socket import socket

import uvloop
from starlette.types import ASGIApp

from flagrank.api.application import create_application
from flagrank.api.entrance import Entrance
from flagrank.api.group_commit import GroupCommit
from flagrank.api.guard import Guard
from flagrank.api.keys import KeyRing
from flagrank.api.prediction import PredictionRoute
from flagrank.api.reply import JsonRoute
from flagrank.api.request_body import BodyReader
from flagrank.api.store_watch import StoreWatch
from flagrank.api.submission import SubmissionRoute
from flagrank.api.task_waiting import FinalWatch
from flagrank.api.tasks import TaskRoutes
from flagrank.scoring.batch_scorer import SessionScorer
from flagrank.service.champion_serving import ChampionServing
from flagrank.service.server import Drain, DrainingServer, configure
from flagrank.service.store import free_bytes_reader
from flagrank.settings import Settings, load_schema
from flagrank.storage.api_keys import StoredApiKeys
from flagrank.storage.engine import Database
from flagrank.storage.task_changes import StoredTaskChanges
from flagrank.storage.task_intake import StoredTaskIntake
from flagrank.storage.task_reading import StoredTaskReading
from flagrank.triage.feature_schema import FeatureSchema
from flagrank.triage.policy import DEFAULT_POLICY

STORE_THREADS = 4

FindChampion = Callable[[], SessionScorer | None]


class ApiProcess:
    """One process that answers HTTP."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        find_champion: FindChampion,
        schema: FeatureSchema | None,
    ) -> None:
        self._settings = settings
        self._database = database
        self._find_champion = find_champion
        self._schema = schema
        self._drain = Drain(settings.drain_time)

    def begin_drain(self) -> None:
        """Stop as after a signal; from any thread."""
        self._drain.begin()

    def run(self, listener: socket, when_started: Callable[[], None]) -> None:
        """Answer until a signal says to stop. Blocks; for the main thread."""
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._run(listener, when_started))

    async def _run(self, listener: socket, when_started: Callable[[], None]) -> None:
        async with AsyncExitStack() as stack:
            application = await self._assemble(stack)
            server = DrainingServer(configure(application, self._settings), self._drain, when_started)
            await server.serve(sockets=[listener])

    async def _assemble(self, stack: AsyncExitStack) -> ASGIApp:
        """The whole ASGI application, whose parts end with the stack in reverse order."""

        def start_threads(count: int, name: str) -> ThreadPoolExecutor:
            return stack.enter_context(ThreadPoolExecutor(count, thread_name_prefix=name))

        settings, policy = self._settings, DEFAULT_POLICY
        codec, scoring = start_threads(1, "codec"), start_threads(1, "scoring")
        store = start_threads(STORE_THREADS, "store")
        serving = ChampionServing(self._find_champion, self._schema, policy.severities, scoring)
        reading = StoredTaskReading(self._database)
        keys = KeyRing(StoredApiKeys(self._database), store)
        watch = stack.enter_context(
            StoreWatch(
                reading,
                keys,
                most_tasks=settings.backlog_tasks,
                least_free_bytes=settings.least_free_bytes,
                read_free_bytes=free_bytes_reader(settings),
            )
        )
        intake = await stack.enter_async_context(GroupCommit(StoredTaskIntake(self._database)))
        finals = FinalWatch(reading.find_final, store)
        self._drain.when_begun(finals.release)
        tasks = TaskRoutes(reading, StoredTaskChanges(self._database), finals, store)
        reader = BodyReader(settings.body_limit_bytes)
        submission = SubmissionRoute(
            serving.find, reader, codec, intake, watch=watch, list_tasks=tasks.list_newest
        )
        routes: dict[tuple[str, str], ASGIApp] = {
            ("POST", "/prediction"): PredictionRoute(serving.find, policy, reader, codec),
            ("POST", "/predict"): JsonRoute(submission.respond),
            ("GET", "/task/{task_id}"): JsonRoute(tasks.show),
            ("GET", "/task"): JsonRoute(tasks.list),
            ("POST", "/task/{task_id}/cancel"): JsonRoute(tasks.cancel),
            ("POST", "/task/{task_id}/retry"): JsonRoute(tasks.retry),
        }

        def find_schema() -> FeatureSchema:
            served = serving.find()
            return served.schema if served else self._schema or load_schema(None)

        def find_reasons() -> list[str]:
            no_model = "No model is loaded: start the server with --demo, or with --model DIR."
            stopping = "The server is shutting down: send requests elsewhere."
            reasons = [] if serving.find() else [no_model]
            return [*reasons, *watch.find_reasons(), *([stopping] if self._drain.began else [])]

        application = create_application(routes, find_schema, policy.severities, find_reasons)
        direct = {(method, path.replace("{task_id}", "")): route for (method, path), route in routes.items()}
        guard = Guard(settings.allowed_hosts)
        return Entrance(application, direct, guard, keys, lambda: self._drain.began)
