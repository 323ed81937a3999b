"""`flagrank serve`: the database first, then the model, then the processes that answer and that score."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from socket import socket

import msgspec
from msgspec import UNSET

from flagrank.scoring.drift import DriftWatch
from flagrank.service.api_process import ApiProcess
from flagrank.service.champion import load_published, watch_models
from flagrank.service.checked_packages import CheckedPackages
from flagrank.service.child_process import Order, ParentWatch, tell_ready
from flagrank.service.operator import find_user
from flagrank.service.promotion import CheckedRegistry
from flagrank.service.publication import publish_package
from flagrank.service.server import describe_address, listen
from flagrank.service.shared_counts import create_counts, open_drift, open_metrics
from flagrank.service.store import opened_store
from flagrank.service.supervision import Children, Keeper
from flagrank.settings import Settings, load_schema, read_default_policy
from flagrank.storage.api_keys import StoredApiKeys
from flagrank.storage.engine import Database
from flagrank.storage.model_registry import StoredModelRegistry
from flagrank.storage.policies import StoredPolicies
from flagrank.telemetry import configure_logs, get_logger
from flagrank.triage.audit import Change
from flagrank.triage.errors import ModelConflict
from flagrank.triage.feature_schema import check_serves
from flagrank.triage.ports import ModelIdentity

STOP_SECONDS = 20.0  # what a worker may take for what it holds, beside its lease

log = get_logger("service")

Announce = Callable[[str, ModelIdentity | None], None]


class ModelSource(msgspec.Struct, frozen=True):
    """A package to publish before anything is served, and whether a champion that stands keeps its place.

    `with_queue` fills a review queue that was never used with synthetic cases.
    """

    path: Path
    unless_champion: bool
    with_queue: bool = False


def serve(
    settings: Settings, source: ModelSource | None, schema_file: Path | None, announce: Announce
) -> None:
    """Answer HTTP until a signal says to stop; `announce` hears the address when requests are welcome.

    Raises `FlagrankError` where the settings, the database, the model or the schema are refused. Blocks.
    """
    configure_logs(settings.log_style, settings.log_level)
    with ExitStack() as stack:
        database = stack.enter_context(opened_store(settings))
        has_keys = StoredApiKeys(database).has_keys()
        listener = stack.enter_context(listen(settings, has_keys=has_keys))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="flagrank-")))
        if source is not None:
            _promote(StoredModelRegistry(database), source, schema_file, CheckedPackages(folder))
        if source is not None and source.with_queue:
            _seed_queue(database, CheckedPackages(folder))
        create_counts(folder, settings.processes + 1)
        order = Order(
            role="worker",
            row=settings.processes,
            settings=settings,
            folder=str(folder),
            schema_file=str(schema_file) if schema_file else None,
        )

        def start(model: ModelIdentity | None) -> None:
            if not settings.no_worker:
                stack.enter_context(Keeper(order, STOP_SECONDS + settings.lease_seconds))
            announce(describe_address(listener), model)

        if settings.processes == 1:
            with ready_api(settings, database, folder, schema_file, row=0) as (api, model):
                api.run(listener, lambda: start(model))
        else:
            children = Children(order, listener)
            children.run(lambda: start(_identify_champion(database)))


@contextmanager
def ready_api(
    settings: Settings, database: Database, folder: Path, schema_file: Path | None, *, row: int
) -> Iterator[tuple[ApiProcess, ModelIdentity | None]]:
    """An api process with the champion loaded, and which one that is.

    Raises `SchemaRefused` where the schema lacks a feature of the champion.
    """
    schema = load_schema(schema_file) if schema_file else None
    checked = CheckedPackages(folder)
    metrics, drift = open_metrics(folder, row), open_drift(folder, row)
    with watch_models(database, checked, metrics.models, drift) as watch:
        lineup = watch.find_lineup()
        if schema and lineup:
            check_serves(schema, lineup.champion.schema, str(schema_file))
        changes = CheckedRegistry(StoredModelRegistry(database), checked, schema)
        yield (
            ApiProcess(settings, database, watch, schema, metrics, changes=changes),
            lineup.champion.model if lineup else None,
        )


def run_api_child(order: Order, parent: ParentWatch) -> None:
    """Answer HTTP on an inherited listener, as one of several processes. Blocks."""
    schema_file = Path(order.schema_file) if order.schema_file else None
    folder = Path(order.folder)
    with (
        socket(fileno=order.listener) as listener,
        opened_store(order.settings) as database,
        ready_api(order.settings, database, folder, schema_file, row=order.row) as (api, _),
    ):

        def tell() -> None:
            parent.call(api.begin_drain)
            tell_ready(order.ready)

        api.run(listener, tell)


def _promote(
    registry: StoredModelRegistry, source: ModelSource, schema_file: Path | None, checked: CheckedPackages
) -> None:
    if source.unless_champion and registry.read_champion() is not None:
        return
    change = Change(find_user(), "flagrank serve --model")
    published = publish_package(registry, source.path, change, schema_file)
    checked.note(published.model.sha256)
    replacing = None if source.unless_champion else UNSET
    try:
        registry.promote(published.model.version, change, replacing=replacing)
    except ModelConflict:  # another server was faster, and its champion stands
        log.info("champion_stands")


def _seed_queue(database: Database, checked: CheckedPackages) -> None:
    from flagrank.service.demo_queue import seed_queue  # draws a history; no server with real reports does

    registry = StoredModelRegistry(database)
    champion = registry.read_champion()
    if champion is not None:
        policy = StoredPolicies(database, read_default_policy()).read_active()
        seed_queue(database, load_published(registry, champion, checked, DriftWatch()), policy)


def _identify_champion(database: Database) -> ModelIdentity | None:
    champion = StoredModelRegistry(database).read_champion()
    return None if champion is None else ModelIdentity(champion.name, str(champion.version))
