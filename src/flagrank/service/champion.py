"""The champion of the registry, loaded: whatever is promoted anywhere serves here two seconds later."""

import threading
import time
from types import TracebackType
from typing import Self

from flagrank.scoring.batch_scorer import SessionScorer
from flagrank.scoring.package import unpack_package
from flagrank.scoring.verification import open_session, rows_to_matrix
from flagrank.service.checked_packages import CheckedPackages
from flagrank.telemetry import get_logger
from flagrank.triage.errors import FlagrankError
from flagrank.triage.model_registry import ModelRegistry, PublishedModel
from flagrank.triage.ports import ModelIdentity

LOOK_SECONDS = 0.5
REFUSED_SECONDS = 30.0  # until a package that was refused is tried again

log = get_logger("model")


def load_published(
    registry: ModelRegistry, published: PublishedModel, checked: CheckedPackages
) -> SessionScorer:
    """Read a published package from the database, verify and load it. Blocks for about a second.

    Raises `PackageRefused`, `ModelNotFound` or `StoreUnavailable`.
    """
    content = registry.load_package(published.version)
    package = unpack_package(content, f"model {published.version}")
    checked.verify(published.sha256, package)
    identity = ModelIdentity(published.name, str(published.version))
    return SessionScorer(
        identity,
        package.manifest.schema,
        open_session(package),
        background=rows_to_matrix(package.background.rows),
    )


class ChampionWatch:
    """Keeps the champion loaded, from a thread of its own; a context manager, which loads it first.

    A champion that can't be loaded leaves the old one at work, and the log says why.
    """

    def __init__(self, registry: ModelRegistry, checked: CheckedPackages) -> None:
        self._registry = registry
        self._checked = checked
        self._scorer: SessionScorer | None = None
        self._version: int | None = None
        self._refused: int | None = None
        self._refused_until = 0.0
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="champion", daemon=True)

    def __enter__(self) -> Self:
        self._look()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._thread.join()

    def find_scorer(self) -> SessionScorer | None:
        """The champion that was loaded last; None where there is none yet."""
        return self._scorer

    def _watch(self) -> None:
        while not self._closing.wait(LOOK_SECONDS):
            self._look()

    def _look(self) -> None:
        try:
            champion = self._registry.read_champion()
            if champion is not None and champion.version != self._version:
                self._load(champion)
        except FlagrankError as error:  # whoever else asks the database tells it, too
            log.debug("champion_unknown", code=error.code)

    def _load(self, champion: PublishedModel) -> None:
        if champion.version == self._refused and time.monotonic() < self._refused_until:
            return
        try:
            self._scorer = load_published(self._registry, champion, self._checked)
        except FlagrankError as error:
            log.warning(
                "champion_refused", code=error.code, model_version=champion.version, sentence=error.detail
            )
            self._refused = champion.version
            self._refused_until = time.monotonic() + REFUSED_SECONDS
            return
        self._version = champion.version
        log.info("champion_loaded", model=champion.name, model_version=champion.version)
