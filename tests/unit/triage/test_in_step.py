from datetime import datetime

from flagrank.settings import load_default_policy
from flagrank.triage.in_step import find_groups
from tests.case_reports import at

RULES = load_default_policy().reporters


def report_together(reporters: str, targets: int, minutes_apart: float) -> list[tuple[str, str, datetime]]:
    """Each reporter on each target, one after the other; targets a day apart."""
    return [
        (reporter, f"target {target}", at(1440 * target + minutes_apart * place))
        for target in range(targets)
        for place, reporter in enumerate(reporters)
    ]


def test_three_same_targets_within_ten_minutes_are_in_step() -> None:
    assert find_groups(report_together("ab", 3, 10.0), RULES) == {"a": "a", "b": "a"}


def test_two_same_targets_are_a_coincidence() -> None:
    assert find_groups(report_together("ab", 2, 1.0), RULES) == {}


def test_those_who_follow_after_more_than_ten_minutes_are_not_in_step() -> None:
    assert find_groups(report_together("ab", 9, 10.1), RULES) == {}


def test_who_is_in_step_with_one_of_a_group_is_of_it() -> None:
    # The first and the last are twenty minutes apart, and the second near both.
    assert find_groups(report_together("cba", 3, 10.0), RULES) == dict.fromkeys("abc", "a")


def test_groups_that_share_no_member_have_names_of_their_own() -> None:
    ours = report_together("ab", 3, 1.0)
    theirs = [(name.upper(), f"other {target}", time) for name, target, time in ours]
    assert find_groups(ours + theirs, RULES) == {"a": "a", "b": "a", "A": "A", "B": "A"}


def test_reporting_one_target_many_times_is_not_reporting_many() -> None:
    reports = [(name, "target", at(minute)) for minute in range(50) for name in "ab"]
    assert find_groups(reports, RULES) == {}


def test_a_crowd_on_one_target_is_not_in_step() -> None:
    assert find_groups([(f"r{n}", "target", at(n / 100)) for n in range(2_000)], RULES) == {}


def test_nothing_reported_has_no_groups() -> None:
    assert find_groups([], RULES) == {}
