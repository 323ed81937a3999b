"""What works beside the champion: a challenger that takes its share of requests, a shadow that listens."""

from collections.abc import Sequence

import msgspec
from msgspec import UNSET, UnsetType

from flagrank.telemetry import ModelMetrics
from flagrank.triage.errors import FlagrankError
from flagrank.triage.feature_schema import FeatureSchema
from flagrank.triage.lineup import ChallengerPart, Draw, Listen, interleave, leave_out
from flagrank.triage.ports import Explainer, Scorer
from flagrank.triage.report import Report


class Challenge(msgspec.Struct, frozen=True):
    """A challenger as requests meet it."""

    scorer: Scorer
    explainer: Explainer
    draw: Draw


class Companions:
    """Scores with a champion that is not alone."""

    def __init__(
        self,
        champion: Scorer,
        schema: FeatureSchema,
        challenge: Challenge | None,
        listen: Listen | None,
        metrics: ModelMetrics,
    ) -> None:
        """`schema` is what reports are read by."""
        self._champion = champion
        self._schema = schema
        self._challenge = challenge
        self._listen = listen
        self._metrics = metrics

    async def score(self, reports: list[Report]) -> tuple[list[float], ChallengerPart | UnsetType]:
        """The score of each report, in the order given, and which of them are the challenger's.

        Where the challenger fails, the champion scores its reports, too.
        """
        challenge = self._challenge
        taken = challenge.draw.pick(reports) if challenge else []
        theirs = await self._ask(challenge, taken, reports) if challenge and taken else None
        if challenge is None or theirs is None:
            scores = await self._champion.score(reports)
            self._tell_shadow(reports, scores)
            return scores, UNSET
        left = leave_out(taken, reports)
        ours = await self._champion.score(left) if left else []
        self._tell_shadow(left, ours)
        model = challenge.scorer.model
        return interleave(taken, theirs, ours), ChallengerPart(model.name, model.version, taken)

    async def _ask(
        self, challenge: Challenge, taken: Sequence[int], reports: Sequence[Report]
    ) -> list[float] | None:
        """The challenger's scores of its reports; None where it fails.

        Asked before the champion, not beside it: most requests are of one report, and a task for each of the
        two took 14 us of 33 (measured).
        """
        try:
            scores = await challenge.scorer.score([reports[index] for index in taken])
        except FlagrankError:
            self._metrics.challenger_failures.add(amount=len(taken))
            return None
        self._metrics.challenger_reports.add(amount=len(taken))
        return scores

    def find_explainers(
        self, champion: Explainer, count: int, part: ChallengerPart | UnsetType
    ) -> list[Explainer]:
        """Who explains each of `count` reports: the model that scored it."""
        explainers = [champion] * count
        if self._challenge is not None and part is not UNSET:
            for index in part.reports:
                explainers[index] = self._challenge.explainer
        return explainers

    def find_base_rates(self, count: int, part: ChallengerPart | UnsetType) -> list[float]:
        """The base rate of the model that scored each of `count` reports."""
        base_rates = [self._champion.base_rate] * count
        if self._challenge is not None and part is not UNSET:
            for index in part.reports:
                base_rates[index] = self._challenge.scorer.base_rate
        return base_rates

    def _tell_shadow(self, reports: Sequence[Report], scores: Sequence[float]) -> None:
        if self._listen is not None:
            self._listen(reports, scores, self._schema)
