"""The models at work: the champion, a challenger with a share of the reports, and a shadow that only listens.

A report's key decides who scores it, so that the same person, content or report always meets the same model,
in every process, for as long as the challenger is the same and its share does not shrink.
"""

from collections.abc import Callable, Sequence
from hashlib import blake2b
from operator import attrgetter
from typing import Generic, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET

from flagrank.triage.feature_schema import FeatureSchema
from flagrank.triage.ports import BatchScorer, ModelIdentity
from flagrank.triage.report import Report

_HASHES = 2**64

ScorerT_co = TypeVar("ScorerT_co", bound=BatchScorer, covariant=True)
_Item = TypeVar("_Item")

# Hears reports, the champion's scores of them, and the schema that they were read by; takes a sample at once,
# never blocks and never raises.
Listen: TypeAlias = Callable[[Sequence[Report], Sequence[float], FeatureSchema], None]


class Challenger(msgspec.Struct, Generic[ScorerT_co], frozen=True):
    """A model that scores its share of the reports in the champion's place."""

    scorer: ScorerT_co
    share: float


class Lineup(msgspec.Struct, Generic[ScorerT_co], frozen=True):
    """Who scores now, and who listens; replaced as a whole."""

    champion: ScorerT_co
    challenger: Challenger[ScorerT_co] | None = None
    listen: Listen | None = None


class ChallengerPart(msgspec.Struct, frozen=True):
    """Which reports of a request or task a challenger scored, by index."""

    name: str
    version: str
    reports: Sequence[int]


class Draw:
    """Draws a challenger's reports: those whose key's hash lies within its share.

    The challenger's version is part of the hash, so that not the same people meet every new challenger.
    """

    def __init__(
        self, challenger: ModelIdentity, share: float, champion: FeatureSchema, read_as: FeatureSchema
    ) -> None:
        """The features of `champion` are the key of a report without ids; `read_as` is what decoded it."""
        self._salt = challenger.version.encode()[-16:]
        self._limit = round(share * _HASHES)
        self._getters = [attrgetter(f"f{read_as.names.index(name)}") for name in sorted(champion.names)]
        self._encode = msgspec.json.Encoder().encode

    def pick(self, reports: list[Report]) -> list[int]:
        """The indices of the challenger's reports, rising."""
        return [index for index, report in enumerate(reports) if self._takes(report)]

    def _takes(self, report: Report) -> bool:
        for identity in (report.reported_id, report.content_id, report.report_id):
            if identity is not UNSET:
                key = identity.encode()
                break
        else:
            values = [get(report) for get in self._getters]
            key = self._encode([None if value is UNSET else value for value in values])
        digest = blake2b(key, digest_size=8, salt=self._salt).digest()
        return int.from_bytes(digest) < self._limit


def leave_out(taken: Sequence[int], items: Sequence[_Item]) -> list[_Item]:
    """The items at all other places, in order."""
    gone = set(taken)
    return [item for index, item in enumerate(items) if index not in gone]


def interleave(taken: Sequence[int], theirs: Sequence[_Item], ours: Sequence[_Item]) -> list[_Item]:
    """What `leave_out` has left (`ours`), with `theirs` at the places taken."""
    at_place = dict(zip(taken, theirs, strict=True))
    rest = iter(ours)
    return [at_place[index] if index in at_place else next(rest) for index in range(len(ours) + len(theirs))]
