"""The console on a real store, served over HTTP as the service serves it, and a browser to look at it."""

import socket
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright
from starlette.types import ASGIApp

from flagrank.console import ModelParts, ReviewParts, create_console
from flagrank.scoring.inspection import inspect_curves
from flagrank.service.checked_packages import no_packages_checked
from flagrank.service.promotion import CheckedRegistry
from flagrank.settings import load_default_policy, read_default_policy
from flagrank.storage.api_keys import StoredApiKeys
from flagrank.storage.engine import Database, embedded_url, open_database
from flagrank.storage.model_registry import StoredModelRegistry
from flagrank.storage.policies import StoredPolicies
from flagrank.storage.review_statistics import StoredReviewStatistics
from flagrank.storage.schema import upgrade_schema
from flagrank.storage.shadow_log import StoredShadowLog
from flagrank.telemetry import ReviewMetrics, Slots
from flagrank.triage.api_key import ApiKey, NewApiKey, Scope, hash_secret, make_secret
from flagrank.triage.audit import Change
from flagrank.triage.curves import Curves
from flagrank.triage.errors import FlagrankError
from flagrank.triage.feature_schema import FeatureSchema
from flagrank.triage.model_registry import Publication
from flagrank.triage.task import Receipt, Submission
from tests.browser.conftest import CHROMIUM, QUIET
from tests.case_store import CaseStore
from tests.packages import read_default_schema, zip_small_package
from tests.task_store import TaskStore, identifiers

DEFAULT_POLICY = load_default_policy()

LIMIT_BYTES = 2**20
ANN = Change("user:ann")


class StoredKeys:
    """The keys of a database, looked up each time."""

    def __init__(self, database: Database) -> None:
        self.stored = StoredApiKeys(database)

    @property
    def are_asked(self) -> bool:
        return self.stored.has_keys()

    async def find(self, secret: bytes) -> ApiKey | None:
        return self.stored.find_key(hash_secret(secret))

    def create(self, name: str, *scopes: Scope, moderator: str | None = None) -> str:
        """Make a key; its secret."""
        secret = make_secret()
        key_id = identifiers.make()[0]
        digest = hash_secret(secret.encode())
        self.stored.create(
            NewApiKey(key_id=key_id, name=name, digest=digest, scopes=frozenset(scopes), moderator=moderator)
        )
        return secret


@dataclass
class Models:
    """The registry behind a console, with every check that a server makes."""

    registry: StoredModelRegistry
    shadow_log: StoredShadowLog
    checked: CheckedRegistry
    read: list[int] = field(default_factory=list)  # the versions whose curves were

    def publish(self, notes: str, changed: dict[str, bytes] | None = None) -> int:
        """Publish a package that is new by these notes; its version."""
        content = zip_small_package((changed or {}) | {"notes.txt": notes.encode()})
        return self.checked.publish(content, ANN).model.version

    def publish_as(self, name: str, metrics: Mapping[str, object]) -> int:
        """Publish what could not be served, under any name and with any metrics; its version."""
        return self.registry.publish(Publication(name, name.encode(), metrics), ANN).model.version

    def promote(self, version: int) -> None:
        """Make a version the champion."""
        self.checked.promote(version, ANN, is_forced=False)

    def roles(self) -> dict[int, str]:
        """Those of the versions that have one."""
        return {one.version: str(one.role) for one in self.registry.list_models() if one.role != "none"}

    def read_curves(self, version: int) -> Curves:
        """As the service reads them."""
        self.read.append(version)
        return inspect_curves(version, self.registry.load_package(version))


@dataclass
class Console:
    """A running console, and the store behind it."""

    url: str
    database: Database
    store: TaskStore
    keys: StoredKeys
    schema: FeatureSchema | None
    models: Models
    cases: CaseStore
    policies: StoredPolicies

    async def submit(self, submission: Submission) -> Receipt:
        """What the service gives the console for it."""
        (answer,) = self.store.intake.submit([submission])
        if isinstance(answer, FlagrankError):
            raise answer
        return answer


@contextmanager
def run_server(application: ASGIApp, listener: socket.socket) -> Iterator[None]:
    """Answer from a thread, with what the service sets uvicorn to that the console can notice."""
    config = uvicorn.Config(application, lifespan="off", interface="asgi3", log_level="critical")
    server = uvicorn.Server(config)
    thread = Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield
    finally:
        server.should_exit = server.force_exit = True
        thread.join()


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    """A console on a database of its own, without keys."""
    database = open_database(embedded_url(tmp_path / "tasks.db"))
    upgrade_schema(database)
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        ThreadPoolExecutor(2) as executor,
        ThreadPoolExecutor(1) as working,
        no_packages_checked() as checked,
    ):
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        registry, shadow_log = StoredModelRegistry(database), StoredShadowLog(database)
        models = Models(registry, shadow_log, CheckedRegistry(registry, checked, None))
        made = Console(
            url,
            database,
            TaskStore(database),
            StoredKeys(database),
            read_default_schema(),
            models,
            CaseStore(database),
            StoredPolicies(database, read_default_policy()),
        )
        cases = made.cases
        application = create_console(
            made.store.reading,
            made.store.changes,
            made.submit,
            ModelParts(registry, shadow_log, models.checked, models.read_curves, executor, working),
            ReviewParts(
                cases.reading,
                cases.leasing,
                cases.deciding,
                lambda: cases.policy,
                executor,
                ReviewMetrics(Slots()),
                StoredReviewStatistics(database),
                statistics_seconds=0.5,
            ),
            policies=made.policies,
            keys=made.keys,
            find_schema=lambda: made.schema,
            find_policy=lambda: DEFAULT_POLICY,
            executor=executor,
            limit_bytes=LIMIT_BYTES,
            is_ending=lambda: False,
        )
        with run_server(application, listener):
            yield made
    database.close()


@dataclass
class Visitor:
    """Someone at a browser, and whatever went wrong on the pages they saw."""

    page: Page
    console: Console
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        """Go to a page of the console."""
        self.page.goto(f"{self.console.url}/console{path}")
        return self.page

    def watch(self) -> None:
        """Note errors, refusals of the policy and requests to anywhere else."""
        self.page.add_init_script(
            "document.addEventListener('securitypolicyviolation',"
            "event => console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`))"
        )
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._note_request)

    def _note(self, message: ConsoleMessage) -> None:
        # Chromium reports each answer of 4xx and 5xx as an error, and a page that a test asks for may be one.
        is_status = message.text.startswith("Failed to load resource: the server responded")
        if message.type in {"error", "warning"} and not is_status:
            self.complaints.append(message.text)

    def _note_request(self, sent: Request) -> None:
        if not sent.url.startswith(self.console.url):
            self.complaints.append(f"asked {sent.url}")


@contextmanager
def visit(browser: Browser, console: Console, **options: Any) -> Iterator[Visitor]:  # noqa: ANN401 - playwright's
    """A browser window of its own; at its end nothing may have gone wrong."""
    context = browser.new_context(**options)
    context.set_default_timeout(10_000)
    visitor = Visitor(context.new_page(), console)
    visitor.watch()
    try:
        yield visitor
        assert visitor.complaints == []
    finally:
        context.close()


@pytest.fixture
def visitor(browser: Browser, console: Console) -> Iterator[Visitor]:
    """Someone at a wide window."""
    with visit(browser, console, viewport={"width": 1_280, "height": 900}) as made:
        yield made


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium; where it is missing the tests fail, for a page that nobody opened is not tested."""
    if not CHROMIUM.exists():
        pytest.fail(f"{CHROMIUM} is missing. Install it: apt-get install chromium", pytrace=False)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield launched
        launched.close()
