"""Models and policy as requests are served with them: scorers on the event loop, the schema, its decoder."""

from collections.abc import Callable
from concurrent.futures import Executor

from msgspec.structs import replace

from flagrank.api.companions import Challenge, Companions
from flagrank.api.serving import Serving
from flagrank.scoring.batch_scorer import SessionScorer
from flagrank.scoring.coalescer import CoalescingScorer
from flagrank.service.champion import LoadedLineup
from flagrank.telemetry import ModelMetrics, get_logger
from flagrank.triage.errors import SchemaRefused
from flagrank.triage.feature_schema import FeatureSchema
from flagrank.triage.lineup import Challenger, Draw
from flagrank.triage.policy import Policy
from flagrank.triage.report_decoding import ReportDecoder

log = get_logger("model")


class ChampionServing:
    """Follows lineup and policy; requests that began with others end with them. For the event loop."""

    def __init__(
        self,
        find_lineup: Callable[[], LoadedLineup | None],
        schema: FeatureSchema | None,
        find_policy: Callable[[], Policy],
        executor: Executor,
        *,
        metrics: ModelMetrics,
    ) -> None:
        """Reports are read by `schema`, else by the champion's own; `executor` scores large batches."""
        self._find_lineup = find_lineup
        self._schema = schema
        self._find_policy = find_policy
        self._executor = executor
        self._metrics = metrics
        self._lineup: LoadedLineup | None = None
        self._policy: Policy | None = None
        self._serving: Serving | None = None
        self.refusal: str | None = None  # why the champion does not fit the schema

    def find(self) -> Serving | None:
        """What serves now; a champion that the schema does not fit leaves the old one at work."""
        lineup, policy = self._find_lineup(), self._find_policy()
        if policy is not self._policy and self._serving is not None:
            decoder = self._find_decoder(self._serving.schema, policy)
            self._serving = replace(self._serving, policy=policy, decoder=decoder)
        self._policy = policy
        if lineup is not self._lineup and lineup is not None:
            self._lineup = lineup
            try:
                self._serving = self._make(lineup, policy)
                self.refusal = None
            except SchemaRefused as error:
                model = lineup.champion.model
                log.warning(
                    "model_refused",
                    role="champion",
                    code=error.code,
                    model_version=model.version,
                    sentence=error.detail,
                )
                self._metrics.refused.set(("champion",), 1)
                self.refusal = error.detail
        return self._serving

    def _make(self, lineup: LoadedLineup, policy: Policy) -> Serving:
        champion = lineup.champion
        schema = self._schema or champion.schema
        reading = champion.reading(schema)
        scorer = CoalescingScorer(reading, self._executor)
        challenge = companions = None
        if lineup.challenger is not None:
            challenge = self._challenge(lineup.challenger, champion, schema)
        if challenge or lineup.listen:
            companions = Companions(scorer, schema, challenge, lineup.listen, self._metrics)
        return Serving(scorer, schema, policy, self._find_decoder(schema, policy), reading, companions)

    def _challenge(
        self, challenger: Challenger[SessionScorer], champion: SessionScorer, schema: FeatureSchema
    ) -> Challenge | None:
        """The challenger; None where reports lack what it needs."""
        try:
            reading = challenger.scorer.reading(schema)
        except SchemaRefused as error:
            version = challenger.scorer.model.version
            log.warning(
                "model_refused",
                role="challenger",
                code=error.code,
                model_version=version,
                sentence=error.detail,
            )
            self._metrics.refused.set(("challenger",), 1)
            return None
        draw = Draw(reading.model, challenger.share, champion.schema, schema)
        return Challenge(CoalescingScorer(reading, self._executor), reading, draw)

    def _find_decoder(self, schema: FeatureSchema, policy: Policy) -> ReportDecoder:
        """The decoder at work, where schema and reasons are still the same: a new one takes a millisecond."""
        serving = self._serving
        if (
            serving is not None
            and serving.schema == schema
            and serving.policy.severities.keys() == policy.severities.keys()
        ):
            return serving.decoder
        return ReportDecoder(schema, policy.severities)
