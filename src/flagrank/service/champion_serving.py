"""The champion as requests are served with it: its scorer on the event loop, its schema, its decoder."""

from collections.abc import Callable, Collection
from concurrent.futures import Executor

from flagrank.api.serving import Serving
from flagrank.scoring.batch_scorer import SessionScorer
from flagrank.scoring.coalescer import CoalescingScorer
from flagrank.telemetry import get_logger
from flagrank.triage.errors import SchemaRefused
from flagrank.triage.feature_schema import FeatureSchema
from flagrank.triage.report_decoding import ReportDecoder

log = get_logger("model")


class ChampionServing:
    """Follows the champion; requests that began with another model end with it. For the event loop."""

    def __init__(
        self,
        find_champion: Callable[[], SessionScorer | None],
        schema: FeatureSchema | None,
        reasons: Collection[str],
        executor: Executor,
    ) -> None:
        """Reports are read by `schema`, else by the champion's own; `executor` scores large batches."""
        self._find_champion = find_champion
        self._schema = schema
        self._reasons = reasons
        self._executor = executor
        self._champion: SessionScorer | None = None
        self._serving: Serving | None = None

    def find(self) -> Serving | None:
        """What serves now; a champion that the schema does not fit leaves the old one at work."""
        champion = self._find_champion()
        if champion is not self._champion and champion is not None:
            self._champion = champion
            try:
                self._serving = self._make(champion)
            except SchemaRefused as error:
                log.warning(
                    "champion_refused", code=error.code, model=champion.model.name, sentence=error.detail
                )
        return self._serving

    def _make(self, champion: SessionScorer) -> Serving:
        schema = self._schema or champion.schema
        reading = champion.reading(schema)
        scorer = CoalescingScorer(reading, self._executor)
        return Serving(scorer, schema, ReportDecoder(schema, self._reasons), reading)
