"""The ports: what the domain asks of other rooms, matched structurally."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

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

    def score(self, reports: list[Report]) -> list[float]:
        """P(actionable) of each report, in the order given, in (0, 1); blocks."""
        ...
