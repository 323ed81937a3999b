from datetime import timedelta
from math import log

import pytest

from flagrank.settings import load_default_policy
from flagrank.triage.reporter_record import Outcome, Tally, compute_record, shrink_share, weigh_outcomes
from tests.case_reports import START

RULES = load_default_policy().reporters


def days_ago(days: float, *, is_actioned: bool) -> Outcome:
    return Outcome(START - timedelta(days=days), is_actioned)


def test_a_decided_case_weighs_half_after_each_half_life() -> None:
    outcomes = [
        days_ago(0, is_actioned=True),
        days_ago(30, is_actioned=False),
        days_ago(60, is_actioned=True),
    ]
    assert weigh_outcomes(outcomes, START, RULES) == Tally(decided=1.75, actioned=1.25)


def test_what_is_older_than_the_window_does_not_count() -> None:
    inside, outside = days_ago(90, is_actioned=False), days_ago(90.001, is_actioned=False)
    assert weigh_outcomes([inside, outside], START, RULES) == Tally(0.125, 0.0)


def test_a_decision_by_a_clock_ahead_of_ours_is_of_now() -> None:
    assert weigh_outcomes([days_ago(-1, is_actioned=True)], START, RULES) == Tally(1.0, 1.0)


def test_the_usual_share_starts_at_the_prior_and_follows_what_is_decided() -> None:
    assert shrink_share(0, 0, RULES) == pytest.approx(0.3)
    assert shrink_share(10, 10, RULES) == pytest.approx(13 / 20)
    assert shrink_share(0, 990, RULES) == pytest.approx(0.003)


def test_a_reporter_without_decided_cases_has_record_0() -> None:
    assert compute_record(Tally(0.0, 0.0), 0.37, RULES) == 0.0


def test_a_record_compares_the_reporter_with_the_usual() -> None:
    expected = log((3 * 0.3 + 4) / (3 + 5)) - log(0.3)
    assert compute_record(Tally(decided=5.0, actioned=4.0), 0.3, RULES) == pytest.approx(expected)
    assert compute_record(Tally(decided=10.0, actioned=3.0), 0.3, RULES) == pytest.approx(0.0)


def test_a_bad_month_is_forgotten_within_the_window() -> None:
    bad_month = [days_ago(day, is_actioned=False) for day in range(30)]
    records = [
        compute_record(weigh_outcomes(bad_month, START + timedelta(days=later), RULES), 0.3, RULES)
        for later in (0, 30, 60, 91)
    ]
    assert records == sorted(records)
    assert records[0] < -1.5
    assert records[-1] == 0.0
