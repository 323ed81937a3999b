"""The shadow: scores a sample of what the champion scores, in a process of its own, and logs both scores."""

import random
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from typing import NamedTuple

from flagrank.own_thread import OwnThread
from flagrank.scoring.columns import ColumnEncoder
from flagrank.scoring.isolated_session import IsolatedSession
from flagrank.service.checked_packages import CheckedPackages
from flagrank.telemetry import ModelMetrics, get_logger
from flagrank.triage.errors import FlagrankError, PackageRefused
from flagrank.triage.feature_schema import FeatureSchema, check_serves
from flagrank.triage.lineup import Listen
from flagrank.triage.model_registry import ModelRegistry, PublishedModel
from flagrank.triage.report import Report
from flagrank.triage.shadow import ShadowLog, ShadowScore

SAMPLED_A_SECOND = 5  # reports, in each process
REFUSED_SECONDS = 30.0  # until what failed is tried again
_TURN_SECONDS = 1.0

log = get_logger("model")


class _Heard(NamedTuple):
    champion_version: int
    report: Report
    score: float
    read_as: FeatureSchema


class ShadowScoring(OwnThread):
    """Follows the shadow of the registry from a thread of its own; a context manager.

    Whoever scores only puts a few reports a second into a short queue. The graph runs in a child with limits:
    where it fails, dies or takes too long, its reports are dropped and counted, and nothing else happens.
    """

    def __init__(
        self, registry: ModelRegistry, shadow_log: ShadowLog, checked: CheckedPackages, metrics: ModelMetrics
    ) -> None:
        super().__init__("shadow")
        self._registry = registry
        self._log = shadow_log
        self._checked = checked
        self._metrics = metrics
        self._heard: deque[_Heard] = deque(maxlen=SAMPLED_A_SECOND)
        self._wanted: PublishedModel | None = None
        self._loaded: PublishedModel | None = None
        self._schema: FeatureSchema | None = None
        self._session: IsolatedSession | None = None
        self._stack = ExitStack()

    def set_model(self, published: PublishedModel | None) -> None:
        """The shadow from now on; from any thread."""
        self._wanted = published

    def listen_to(self, champion_version: int) -> Listen:
        """What hears the scores of this champion; for one thread."""

        def listen(reports: Sequence[Report], scores: Sequence[float], read_as: FeatureSchema) -> None:
            room = SAMPLED_A_SECOND - len(self._heard)
            if room <= 0 or not reports:
                return
            for place in random.sample(range(len(reports)), min(room, len(reports))):
                self._heard.append(_Heard(champion_version, reports[place], scores[place], read_as))

        return listen

    def _run(self) -> None:
        with self._stack:
            pause = _TURN_SECONDS
            while not self._closing.wait(pause):
                pause = _TURN_SECONDS if self._take_turn() else REFUSED_SECONDS

    def _take_turn(self) -> bool:
        """Load what is wanted and score what was heard; whether all went well."""
        heard = [self._heard.popleft() for _ in range(len(self._heard))]
        try:
            self._load()
            if self._session and self._loaded and self._schema and heard:
                entries = self._score(heard, self._session, self._loaded.version, self._schema)
                self._log.append(entries)
                self._metrics.shadow_reports.add(("logged",), len(entries))
        except FlagrankError as error:
            version = self._wanted.version if self._wanted else None
            log.warning("shadow_failed", code=error.code, model_version=version, sentence=error.detail)
            self._metrics.refused.set(("shadow",), 1)
            self._unload()
            return False
        self._metrics.refused.set(("shadow",), 0)
        return True

    def _load(self) -> None:
        wanted = self._wanted
        if self._loaded is not None and wanted is not None and wanted.version == self._loaded.version:
            return
        self._unload()
        if wanted is None:
            return
        package = self._checked.load(self._registry, wanted)
        self._schema = package.manifest.schema
        self._session = self._stack.enter_context(IsolatedSession(package.model, self._schema.names))
        self._loaded = wanted

    def _unload(self) -> None:
        self._loaded = self._schema = self._session = None
        self._stack.close()

    def _score(
        self, heard: Sequence[_Heard], session: IsolatedSession, version: int, schema: FeatureSchema
    ) -> list[ShadowScore]:
        """Raises `SchemaRefused` where a report lacks a feature, `PackageRefused` where the child is over."""
        entries = []
        for one in heard:
            check_serves(one.read_as, schema, "the schema of the reports")
            matrix = ColumnEncoder(schema, one.read_as).encode_reports([one.report])  # (1, f)
            try:
                (score,) = session.score(matrix).tolist()
            except PackageRefused:
                self._metrics.shadow_reports.add(("failed",))
                if session.is_over:
                    raise
                continue
            entries.append(ShadowScore(one.champion_version, version, one.score, score))
        return entries
