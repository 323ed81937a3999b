"""The policy: how severe each reason is and how much reach counts."""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

FALLBACK_REASON = "other"


class Policy(msgspec.Struct, frozen=True):
    """Rules of ranking under a name and version; severities are in units of one spam report."""

    name: str
    version: int
    severities: Mapping[str, float]
    exposure_power: float

    @property
    def label(self) -> str:
        """Name and version as answers carry them: `default@1`."""
        return f"{self.name}@{self.version}"

    def severity_of(self, reason: str | None) -> float:
        """How severe a report with this reason is; without one as the fallback reason."""
        return self.severities[reason or FALLBACK_REASON]


DEFAULT_POLICY = Policy(
    name="default",
    version=1,
    severities=MappingProxyType(
        {
            "spam": 1.0,
            "nudity": 2.0,
            "other": 2.0,
            "harassment": 4.0,
            "scam": 5.0,
            "hate": 6.0,
            "threat": 12.0,
            "self_harm": 12.0,
            "minor_safety": 25.0,
        }
    ),
    exposure_power=0.7,  # reach is heavy-tailed: a power of 1 hands the queue to a few loud cases
)
