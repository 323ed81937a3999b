"""The role that answers HTTP: assembles the application around one database, and runs it to its end."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AsyncExitStack
from functools import partial
from socket import socket

import uvloop
from starlette.types import ASGIApp

from flagrank.api.application import create_application
from flagrank.api.cases import CaseExplainer, CaseRoutes
from flagrank.api.entrance import Entrance
from flagrank.api.explaining import Explaining
from flagrank.api.group_commit import GroupCommit
from flagrank.api.guard import Guard
from flagrank.api.keys import KeyRing
from flagrank.api.metrics import MetricsRoute
from flagrank.api.models import TOO_LARGE, ZIP_TYPES, ModelRoutes
from flagrank.api.policy import TOO_LONG, PolicyRoutes
from flagrank.api.prediction import PredictionRoute
from flagrank.api.queue import QueueRoutes
from flagrank.api.queue_watch import QueueWatch
from flagrank.api.reply import JsonRoute
from flagrank.api.request_body import BodyReader
from flagrank.api.review_wishes import WishReader
from flagrank.api.store_watch import StoreWatch
from flagrank.api.submission import SubmissionRoute
from flagrank.api.task_waiting import FinalWatch
from flagrank.api.tasks import TaskRoutes
from flagrank.console import ModelParts, ReviewParts, create_console
from flagrank.scoring.inspection import inspect_curves
from flagrank.service.champion import ChampionWatch
from flagrank.service.champion_serving import ChampionServing
from flagrank.service.server import Drain, DrainingServer, configure
from flagrank.service.store import free_bytes_reader
from flagrank.settings import Settings, load_schema, read_default_policy
from flagrank.storage.api_keys import StoredApiKeys
from flagrank.storage.case_reading import StoredQueueReading
from flagrank.storage.decisions import StoredDeciding
from flagrank.storage.engine import Database
from flagrank.storage.leases import StoredLeasing
from flagrank.storage.model_registry import StoredModelRegistry
from flagrank.storage.policies import StoredPolicies
from flagrank.storage.review_statistics import StoredReviewStatistics
from flagrank.storage.shadow_log import StoredShadowLog
from flagrank.storage.task_changes import StoredTaskChanges
from flagrank.storage.task_intake import StoredTaskIntake
from flagrank.storage.task_reading import StoredTaskReading
from flagrank.telemetry import Metrics
from flagrank.triage.curves import Curves
from flagrank.triage.feature_schema import FeatureSchema
from flagrank.triage.model_registry import CheckedChanges
from flagrank.triage.policy_file import MAX_POLICY_BYTES
from flagrank.triage.ports import ModelIdentity
from flagrank.triage.review import LeaseLimits

STORE_THREADS = 4

Routes = dict[tuple[str, str], ASGIApp]


class ApiProcess:
    """One process that answers HTTP."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        watch: ChampionWatch,
        schema: FeatureSchema | None,
        metrics: Metrics,
        *,
        changes: CheckedChanges,
    ) -> None:
        """Reports are read by `schema`, else by the champion's own."""
        self._settings = settings
        self._database = database
        self._models = watch
        self._schema = schema
        self._metrics = metrics
        self._changes = changes
        database.count_in(metrics.database)
        self._queue = StoredQueueReading(database)
        limits = LeaseLimits(settings.leases_per_moderator, settings.leases_in_all)
        self._leasing = StoredLeasing(database, limits)
        self._deciding = StoredDeciding(database)
        self._statistics = StoredReviewStatistics(database)
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
        threads = stack.enter_context(ThreadPoolExecutor(STORE_THREADS, thread_name_prefix="store"))
        scoring = stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="scoring"))
        models = self._models
        serving = ChampionServing(
            models.find_lineup, self._schema, models.find_policy, scoring, metrics=self._metrics.models
        )
        keys = KeyRing(StoredApiKeys(self._database), threads)
        watch = stack.enter_context(self._watch_store(keys))
        routes = await self._make_routes(stack, serving, watch, keys, threads)

        def find_schema() -> FeatureSchema:
            served = serving.find()
            return served.schema if served else self._schema or load_schema(None)

        def find_notes() -> list[str]:
            refusals = (models.find_refusal() or serving.refusal, models.find_policy_refusal())
            return [refusal for refusal in refusals if refusal is not None]

        def find_reasons() -> list[str]:
            no_model = "No model is loaded: start the server with --demo, or with --model DIR."
            stopping = "The server is shutting down: send requests elsewhere."
            found = [] if serving.find() else find_notes() or [no_model]
            return [*found, *watch.find_reasons(), *([stopping] if self._drain.began else [])]

        def find_model() -> ModelIdentity | None:
            served = serving.find()
            return served.scorer.model if served else None

        routes["GET", "/metrics"] = MetricsRoute(
            self._metrics,
            find_model,
            find_reasons,
            watch,
            models.read_drift,
            read_queue=QueueWatch(self._statistics.read_backlog, threads).read,
        )
        return Entrance(
            create_application(routes, find_schema, models.find_policy, find_reasons, find_notes),
            {(method, path.replace("{task_id}", "")): route for (method, path), route in routes.items()},
            Guard(self._settings.allowed_hosts),
            keys,
            is_draining=lambda: self._drain.began,
            observe=self._metrics.requests.observe,
        )

    def _watch_store(self, keys: KeyRing) -> StoreWatch:
        return StoreWatch(
            StoredTaskReading(self._database),
            keys,
            most_tasks=self._settings.backlog_tasks,
            least_free_bytes=self._settings.least_free_bytes,
            read_free_bytes=free_bytes_reader(self._settings),
            read_oldest_snapshot_seconds=self._database.read_oldest_snapshot_seconds,
        )

    async def _make_routes(
        self,
        stack: AsyncExitStack,
        serving: ChampionServing,
        watch: StoreWatch,
        keys: KeyRing,
        threads: Executor,
    ) -> Routes:
        """What answers, by method and path, but for what describes the service itself."""
        codec = stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="codec"))
        explainers = stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="explaining"))
        explaining = Explaining(explainers)
        observe = self._metrics.tasks.commits.observe
        commit = GroupCommit(StoredTaskIntake(self._database), observe)
        intake = await stack.enter_async_context(commit)
        reading = StoredTaskReading(self._database)
        finals = FinalWatch(reading.find_final, threads)
        self._drain.when_begun(finals.release)
        tasks = TaskRoutes(reading, StoredTaskChanges(self._database), finals, threads)
        reader = BodyReader(self._settings.body_limit_bytes)
        submission = SubmissionRoute(
            serving.find, reader, codec, intake, watch=watch, list_tasks=tasks.list_newest
        )
        working = stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="packages"))
        registry, shadow_log = StoredModelRegistry(self._database), StoredShadowLog(self._database)
        parts = ModelParts(
            registry, shadow_log, self._changes, partial(_read_curves, registry), threads, working
        )
        console = self._make_console(serving, submission, parts, keys)
        return {
            ("POST", "/prediction"): PredictionRoute(serving.find, reader, codec, explaining),
            ("POST", "/predict"): JsonRoute(submission.respond),
            ("GET", "/task/{task_id}"): JsonRoute(tasks.show),
            ("GET", "/task"): JsonRoute(tasks.list),
            ("POST", "/task/{task_id}/cancel"): JsonRoute(tasks.cancel),
            ("POST", "/task/{task_id}/retry"): JsonRoute(tasks.retry),
            **self._make_model_routes(parts),
            **self._make_review_routes(CaseExplainer(serving.find, explaining), threads),
            **self._make_policy_routes(threads),
            ("GET", "/console{rest:path}"): console,
            ("POST", "/console{rest:path}"): console,
        }

    def _make_model_routes(self, parts: ModelParts) -> Routes:
        models = ModelRoutes(
            parts.registry,
            parts.shadow_log,
            parts.checked,
            parts.executor,
            parts.working,
            reader=BodyReader(self._settings.body_limit_bytes),
            uploads=BodyReader(self._settings.body_limit_bytes, ZIP_TYPES, TOO_LARGE),
        )
        return {
            ("GET", "/model"): JsonRoute(models.list),
            ("POST", "/model"): JsonRoute(models.publish),
            ("POST", "/model/rollback"): JsonRoute(models.roll_back),
            ("GET", "/model/{version}"): JsonRoute(models.show),
            ("DELETE", "/model/{version}"): JsonRoute(models.delete),
            ("POST", "/model/{version}/promote"): JsonRoute(models.promote),
            ("POST", "/model/{version}/role"): JsonRoute(models.give_role),
        }

    def _make_review_routes(self, explainer: CaseExplainer, threads: Executor) -> Routes:
        find_policy, metrics = self._models.find_policy, self._metrics.review
        reader = WishReader(self._settings.body_limit_bytes)
        queue = QueueRoutes(self._queue, self._leasing, find_policy, threads, reader, metrics=metrics)
        cases = CaseRoutes(
            self._queue,
            self._deciding,
            find_policy,
            threads,
            reader,
            explainer=explainer,
            metrics=metrics,
        )
        return {
            ("GET", "/queue"): JsonRoute(queue.list),
            ("POST", "/queue/lease"): JsonRoute(queue.lease),
            ("POST", "/queue/heartbeat"): JsonRoute(queue.extend),
            ("POST", "/queue/release"): JsonRoute(queue.release),
            ("GET", "/case/{case_id}"): JsonRoute(cases.show),
            ("POST", "/case/{case_id}/decision"): JsonRoute(cases.decide),
            ("POST", "/case/{case_id}/reopen"): JsonRoute(cases.reopen),
        }

    def _make_policy_routes(self, threads: Executor) -> Routes:
        most = min(self._settings.body_limit_bytes, MAX_POLICY_BYTES)
        policies = PolicyRoutes(
            StoredPolicies(self._database, read_default_policy()),
            threads,
            BodyReader(most, (), TOO_LONG),
        )
        return {
            ("GET", "/policy"): JsonRoute(policies.show),
            ("PUT", "/policy"): JsonRoute(policies.activate),
        }

    def _make_console(
        self, serving: ChampionServing, submission: SubmissionRoute, parts: ModelParts, keys: KeyRing
    ) -> ASGIApp:
        def find_schema() -> FeatureSchema | None:
            served = serving.find()
            return served.schema if served else None

        review = ReviewParts(
            self._queue,
            self._leasing,
            self._deciding,
            self._models.find_policy,
            parts.executor,
            self._metrics.review,
            self._statistics,
        )
        return create_console(
            StoredTaskReading(self._database),
            StoredTaskChanges(self._database),
            submission.commit,
            parts,
            review,
            policies=StoredPolicies(self._database, read_default_policy()),
            keys=keys,
            find_schema=find_schema,
            find_policy=self._models.find_policy,
            executor=parts.executor,
            limit_bytes=self._settings.body_limit_bytes,
            is_ending=lambda: self._drain.began,
        )


def _read_curves(registry: StoredModelRegistry, version: int) -> Curves:
    return inspect_curves(version, registry.load_package(version))
