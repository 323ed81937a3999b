"""What a shadow would have scored, beside what the champion did: the log, and a summary of it."""

from collections.abc import Sequence
from datetime import datetime
from math import sqrt
from typing import Protocol

import msgspec

SUMMARISED = 10_000  # the newest entries, at most
TOP_SHARE = 0.05


class ShadowScore(msgspec.Struct, frozen=True):
    """One sampled report: its champion's score and its shadow's, and nothing of the report itself."""

    champion_version: int
    shadow_version: int
    champion_score: float
    shadow_score: float


class ShadowSummary(msgspec.Struct, frozen=True, kw_only=True):
    """How a shadow's scores lie to the champion's, over the newest sampled reports.

    Differences are shadow less champion. `rank_correlation` is Spearman's, null where one of them gives all
    the same score; `top_agreement` is the share of the champion's top 5 % that the shadow has there, too.
    """

    champion_version: int
    reports: int
    since: datetime
    mean_difference: float
    mean_absolute_difference: float
    rank_correlation: float | None
    top_agreement: float


class ShadowLog(Protocol):
    """Sampled comparisons of shadows with champions. Blocks and raises as the ports of tasks do."""

    def append(self, scores: Sequence[ShadowScore]) -> None:
        """Keep these, and forget the oldest where it becomes too many."""
        ...

    def summarise(self, shadow_version: int) -> ShadowSummary | None:
        """How this model compared with the latest champion that it was logged beside; None where never."""
        ...


def summarise_scores(
    champion_version: int, since: datetime, pairs: Sequence[tuple[float, float]]
) -> ShadowSummary:
    """The summary of pairs (champion's score, shadow's score), at least one."""
    champion, shadow = zip(*pairs, strict=True)
    differences = [theirs - ours for ours, theirs in pairs]
    n = len(pairs)
    return ShadowSummary(
        champion_version=champion_version,
        reports=n,
        since=since,
        mean_difference=sum(differences) / n,
        mean_absolute_difference=sum(map(abs, differences)) / n,
        rank_correlation=_correlate(_rank(champion), _rank(shadow)),
        top_agreement=_agree_at_top(champion, shadow),
    )


def _rank(values: Sequence[float]) -> list[float]:
    """Ranks from 1; equal values share the mean of theirs."""
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0.0] * len(values)
    begin = 0
    while begin < len(order):
        end = begin
        while end < len(order) and values[order[end]] == values[order[begin]]:
            end += 1
        for place in order[begin:end]:
            ranks[place] = (begin + end + 1) / 2
        begin = end
    return ranks


def _correlate(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Pearson's correlation, of ranks Spearman's (American Journal of Psychology 15, 1904)."""
    middle = (len(first) + 1) / 2
    covered = sum((a - middle) * (b - middle) for a, b in zip(first, second, strict=True))
    spread = sum((a - middle) ** 2 for a in first) * sum((b - middle) ** 2 for b in second)
    return covered / sqrt(spread) if spread else None


def _agree_at_top(champion: Sequence[float], shadow: Sequence[float]) -> float:
    k = -(-len(champion) // round(1 / TOP_SHARE))
    tops = [
        set(sorted(range(len(scores)), key=scores.__getitem__, reverse=True)[:k])
        for scores in (champion, shadow)
    ]
    return len(tops[0] & tops[1]) / k
