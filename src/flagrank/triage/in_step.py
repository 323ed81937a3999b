"""Reporters in step: accounts that report the same targets at about the same time count as one voice."""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from itertools import pairwise

from flagrank.triage.policy import ReporterRules

_Reports = dict[str, list[tuple[datetime, str]]]  # by target, or by reporter; in order of time


def find_groups(reports: Iterable[tuple[str, str, datetime]], rules: ReporterRules) -> dict[str, str]:
    """Each reporter who is in step with another -> the name of their group, its first member by name.

    A report is (reporter, target, made at). Two are in step who reported `in_step_targets` same targets
    within `in_step_minutes` of each other, and so is whoever is in step with one of a group. Free of the
    order of reports. Takes a second for 200,000 reports, longer where thousands report one target at once.
    """
    within = timedelta(minutes=rules.in_step_minutes)
    by_target = _keep_company(_sort(reports), rules.in_step_targets, within)
    by_reporter = _turn(by_target)
    names: dict[str, str] = {}
    # The least name comes first, so a group is found from the member that it is called after.
    for first in sorted(by_reporter):
        if first in names:
            continue
        names[first] = first
        found = [first]
        for member in found:
            seen = _find_in_step(by_reporter[member], by_target, names, within)
            more = sorted(name for name, shared in seen.items() if shared >= rules.in_step_targets)
            names |= dict.fromkeys(more, first)
            found += more
            _forget(more, by_reporter, by_target)
        if len(found) == 1:
            del names[first]
    return names


def _sort(reports: Iterable[tuple[str, str, datetime]]) -> _Reports:
    by_target: _Reports = defaultdict(list)
    for reporter, target, made_at in reports:
        by_target[target].append((made_at, reporter))
    for told in by_target.values():
        told.sort()
    return dict(by_target)


def _turn(by_one: Mapping[str, list[tuple[datetime, str]]]) -> _Reports:
    by_other: _Reports = defaultdict(list)
    for one, told in by_one.items():
        for made_at, other in told:
            by_other[other].append((made_at, one))
    return dict(by_other)


def _keep_company(by_target: _Reports, least: int, within: timedelta) -> _Reports:
    """Leave out, again and again, who was not alone on fewer targets than it takes: nearly everybody."""
    while True:
        shared: Counter[str] = Counter()
        for told in by_target.values():
            shared.update(_find_accompanied(told, within))
        kept = {
            target: [report for report in told if shared[report[1]] >= least]
            for target, told in by_target.items()
        }
        if sum(map(len, kept.values())) == sum(map(len, by_target.values())):
            return kept
        by_target = {target: told for target, told in kept.items() if len(told) > 1}


def _find_accompanied(told: list[tuple[datetime, str]], within: timedelta) -> set[str]:
    """Who of a target's reporters has another one nearby: then two that are next in time are so near."""
    accompanied = set()
    for (earlier, one), (later, other) in pairwise(told):
        if one != other and later - earlier <= within:
            accompanied |= {one, other}
    return accompanied


def _find_in_step(
    reports: list[tuple[datetime, str]], by_target: _Reports, known: Mapping[str, str], within: timedelta
) -> Counter[str]:
    """On how many targets each other reporter, not `known` yet, was near these reports."""
    near: dict[str, set[str]] = defaultdict(set)
    for made_at, target in reports:
        told = by_target[target]
        start = bisect_left(told, (made_at - within, ""))
        end = bisect_right(told, made_at + within, key=lambda report: report[0])
        near[target].update(reporter for _, reporter in told[start:end] if reporter not in known)
    return Counter(name for names in near.values() for name in names)


def _forget(found: list[str], by_reporter: _Reports, by_target: _Reports) -> None:
    """Take who has a group out of the targets' lists, so that a crowd in step is gone through once."""
    gone = set(found)
    for target in {target for name in found for _, target in by_reporter[name]}:
        by_target[target] = [report for report in by_target[target] if report[1] not in gone]
