"""Why a score is what it is: what each feature contributed, and that in one sentence for people."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from flagrank.triage.feature_schema import Feature

LEAST_CONTRIBUTION = 0.1  # changes the odds by a tenth
LEAST_SHARE = 0.2  # of the largest contribution; a smaller one is not worth a moderator's time
OUTER_RANK = 0.6  # from here on a value is called high, and low on the other side: a fifth each
MOST_NAME_CHARS = 60
MOST_VALUE_CHARS = 30

_LEVELS = ((1.5, "much "), (0.5, ""), (LEAST_CONTRIBUTION, "slightly "))  # from so far off the usual
_BREAKS = (";", ":", "(", ",", ". ", "\n")


class Explanation(msgspec.Struct, frozen=True):
    """The parts of one score's log-odds: the usual ones, and what each feature adds to or takes from them.

    `base_value` and `contributions` add up to ln(score / (1 - score)).
    """

    base_value: float
    contributions: Mapping[str, float]
    sentence: str


class Driver(msgspec.Struct, frozen=True):
    """One feature of a report: its value, None where unknown, and what it contributed.

    `rank` is the share of background rows with a lower value, less the share with a higher one.
    """

    feature: Feature
    value: Any
    rank: float
    contribution: float


def describe_drivers(drivers: Sequence[Driver]) -> str:
    """One plain sentence: how likely beside the usual, and the two values that count most, if they do.

    The first named is the largest that points the way of the whole. Of equals the first in order is taken.
    """
    total = sum(driver.contribution for driver in drivers)
    is_usual = abs(total) < LEAST_CONTRIBUTION
    largest = sorted(drivers, key=lambda driver: -abs(driver.contribution))
    least = max(LEAST_CONTRIBUTION, LEAST_SHARE * abs(largest[0].contribution))
    first = next(driver for driver in largest if (driver.contribution > 0) is (total > 0))
    others = [driver for driver in largest if driver is not first][:1]
    named = [
        driver
        for driver in (first, *others)
        if abs(driver.contribution) >= least or (driver is first and not is_usual)
    ]
    return f"{_describe_level(total)} to deserve action: {_describe_named(named)}."


def _describe_level(total: float) -> str:
    for least, degree in _LEVELS:
        if abs(total) >= least:
            return f"{degree}{'more' if total > 0 else 'less'} likely than usual".capitalize()
    return "About as likely as usual"


def _describe_named(named: Sequence[Driver]) -> str:
    if not named:
        return "no value stands out"
    verbs = ["raised" if driver.contribution > 0 else "lowered" for driver in named]
    values = [f"{name_feature(driver.feature)} ({show_value(driver)})" for driver in named]
    if len(set(verbs)) == 1:
        return f"{verbs[0]} by {' and '.join(values)}"
    return ", ".join(f"{verb} by {value}" for verb, value in zip(verbs, values, strict=True))


def name_feature(feature: Feature) -> str:
    """What people call a feature: its description up to the first break, else its name with spaces."""
    text = feature.description
    for mark in _BREAKS:
        text = text.partition(mark)[0]
    return cut(text.strip(" .") or feature.name.replace("_", " "), MOST_NAME_CHARS)


def show_value(driver: Driver) -> str:
    """A value as people write it; a word is quoted, cut and kept printable, whatever a sender put into it."""
    match driver.value:
        case None:
            return "unknown"
        case bool(value):
            return "yes" if value else "no"
        case str(value):
            return json.dumps(cut(value, MOST_VALUE_CHARS), ensure_ascii=False)
        case value:
            standing = (
                ", low" if driver.rank <= -OUTER_RANK else ", high" if driver.rank >= OUTER_RANK else ""
            )
            return _show_number(value) + standing


def _show_number(value: float) -> str:
    is_whole = abs(value) < 1e15 and value == int(value)
    return f"{int(value):,}" if is_whole else f"{value:.4g}"


def cut(text: str, most: int) -> str:
    """A text as it may stand in a sentence: so many printable characters of it."""
    shown = "".join(character if character.isprintable() else "?" for character in text[:most])
    return shown + ("…" if len(text) > most else "")
