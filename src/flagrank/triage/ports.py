"""The ports: what the domain asks of other rooms, matched structurally."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from flagrank.triage.explanation import Explanation
from flagrank.triage.feature_schema import FeatureSchema
from flagrank.triage.report import Report


class ModelIdentity(msgspec.Struct, frozen=True):
    """Which model made a score: its name, and its version; outside the registry `sha256:` + 12 hex digits."""

    name: str
    version: str


class Scorer(Protocol):
    """Turns reports into calibrated chances that they deserve action."""

    @property
    def model(self) -> ModelIdentity:
        """The model that scores now."""
        ...

    @property
    def base_rate(self) -> float:
        """The share of actionable reports in its training data."""
        ...

    async def score(self, reports: Sequence[Report]) -> list[float]:
        """P(actionable) of each report, in the order given, in (0, 1), whatever else is being scored."""
        ...


class BatchScorer(Protocol):
    """One loaded model, for a caller that has a thread to wait in; safe to use from several."""

    @property
    def model(self) -> ModelIdentity:
        """The model that scores."""
        ...

    @property
    def schema(self) -> FeatureSchema:
        """The features that it needs."""
        ...

    @property
    def base_rate(self) -> float:
        """The share of actionable reports in its training data."""
        ...

    def score(self, reports: list[Report]) -> list[float]:
        """P(actionable) of each report, in the order given, in (0, 1); blocks."""
        ...


class Explainer(Protocol):
    """Says why a model's scores are what they are; safe to use from several threads."""

    def check_explainable(self, count: int) -> None:
        """Raise `ExplanationRefused` where so many reports can't be explained in one request."""
        ...

    def explain(self, report: Report, score: float) -> Explanation:
        """The explanation of a report's score by this model, whatever else is explained.

        Blocks, for milliseconds to a quarter of a second; raises as `check_explainable` does.
        """
        ...
