"""What plots of held-out scores show: how far they can be trusted, and what the highest of them find."""

import msgspec


class Span(msgspec.Struct, frozen=True):
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


class Bin(msgspec.Struct, frozen=True):
    """Rows whose scores lie from `lowest` to `highest`, and how many of them are positive."""

    lowest: float
    highest: float
    rows: int
    positives: int
    mean_score: float
    share: Span


class Curves(msgspec.Struct, frozen=True):
    """The rows that a package has held out, in bins by score and at rising depths of their ranking.

    `lift` has how many times the base rate the precision is at each of `shares` of all rows, highest score
    first; it is empty where there are no positives to be found.
    """

    rows: int
    positives: int
    bins: tuple[Bin, ...]
    shares: tuple[float, ...]
    lift: tuple[float, ...]
