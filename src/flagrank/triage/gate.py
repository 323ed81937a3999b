"""The gate before a promotion: how a model compares with the champion, in words."""

from enum import StrEnum

import msgspec

FEWEST_POSITIVES = 50  # in common; below, the interval says nothing that a promotion could rest on


class Verdict(StrEnum):
    """What a comparison shows."""

    BETTER = "better"
    ALIKE = "alike"
    WORSE = "worse"
    UNKNOWN = "unknown"


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """A comparison on the rows that both packages have held out; nulls where too few are shared.

    `difference` is the model's measure less the champion's, with its 95 % interval.
    """

    verdict: Verdict
    measure: str
    champion_version: int
    rows: int
    positives: int
    difference: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def sentence(self) -> str:
        """What was found, for people."""
        if self.difference is None or self.low is None or self.high is None:
            return (
                f"Nothing could be compared with version {self.champion_version}: the two packages share "
                f"{self.rows:,} held-out rows with {self.positives:,} positives, and {FEWEST_POSITIVES} are "
                "needed."
            )
        found = {
            Verdict.BETTER: "It is clearly better than",
            Verdict.WORSE: "It is clearly worse than",
        }.get(self.verdict, "It is no clear loss against")
        return (
            f"{found} version {self.champion_version}: {self.measure} {self.difference:+.4f} "
            f"(95 % interval {self.low:+.4f} to {self.high:+.4f}) on {self.rows:,} held-out rows that both "
            f"packages have, {self.positives:,} of them positive."
        )
