"""A reporter's record is bounded, moves with what became of the cases, and recovers."""

import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from flagrank.settings import load_default_policy
from flagrank.triage.policy import ReporterRules
from flagrank.triage.reporter_record import Outcome, compute_record, shrink_share, weigh_outcomes
from tests.case_reports import START

DEFAULT_RULES = load_default_policy().reporters

rules = st.builds(
    ReporterRules,
    st.floats(1, 3_650),
    st.floats(1, 3_650),
    st.floats(0.01, 10_000),
    st.floats(0.01, 0.99),
    st.floats(0.01, 10_000),
    st.floats(2, 1_000),
    st.floats(0.01, 1_440),
)
outcomes = st.lists(
    st.builds(Outcome, st.floats(0, 400).map(lambda days: START - timedelta(days=days)), st.booleans()),
    max_size=30,
)
shares = st.floats(0.001, 0.999)


def record_of(given_outcomes: list[Outcome], share: float, given_rules: ReporterRules) -> float:
    return compute_record(weigh_outcomes(given_outcomes, START, given_rules), share, given_rules)


@given(outcomes, shares, rules)
def test_a_record_lies_between_those_of_all_dismissed_and_all_actioned(
    given_outcomes: list[Outcome], share: float, given_rules: ReporterRules
) -> None:
    record = record_of(given_outcomes, share, given_rules)
    least = record_of([replace(one, is_actioned=False) for one in given_outcomes], share, given_rules)
    most = record_of([replace(one, is_actioned=True) for one in given_outcomes], share, given_rules)
    assert least - 1e-12 <= record <= most + 1e-12
    assert most <= -math.log(share) + 1e-12
    assert least >= -math.log1p(len(given_outcomes) / given_rules.prior_cases) - 1e-12


@given(outcomes, shares, rules, st.data())
def test_an_actioned_case_instead_of_a_dismissed_one_never_lowers_a_record(
    given_outcomes: list[Outcome], share: float, given_rules: ReporterRules, data: st.DataObject
) -> None:
    one = data.draw(st.builds(Outcome, st.just(START - timedelta(days=1)), st.just(value=False)))
    dismissed = record_of([*given_outcomes, one], share, given_rules)
    actioned = record_of([*given_outcomes, replace(one, is_actioned=True)], share, given_rules)
    assert actioned > dismissed


@given(outcomes, shares, rules, st.data())
def test_a_record_is_free_of_the_order_of_decisions(
    given_outcomes: list[Outcome], share: float, given_rules: ReporterRules, data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(given_outcomes))
    assert record_of(shuffled, share, given_rules) == pytest.approx(
        record_of(given_outcomes, share, given_rules), abs=1e-9
    )


@given(st.lists(st.floats(0, 30), min_size=1, max_size=40), shares, st.floats(0, 200))
def test_a_bad_month_is_forgiven_steadily_and_wholly_after_the_window(
    ages: list[float], share: float, later: float
) -> None:
    bad = [Outcome(START - timedelta(days=age), is_actioned=False) for age in ages]

    def record_after(days: float) -> float:
        now = START + timedelta(days=days)
        return compute_record(weigh_outcomes(bad, now, DEFAULT_RULES), share, DEFAULT_RULES)

    assert record_after(0) < 0
    assert record_after(later) >= record_after(0) - 1e-12
    assert record_after(later + 1) >= record_after(later) - 1e-12
    assert record_after(DEFAULT_RULES.window_days + 0.001) == 0


@given(st.integers(0, 10**6), st.integers(0, 10**6), rules)
def test_the_usual_share_is_a_share_within_any_history(
    actioned: int, dismissed: int, given_rules: ReporterRules
) -> None:
    share = shrink_share(actioned, actioned + dismissed, given_rules)
    assert 0 < share < 1
    assert shrink_share(actioned + 1, actioned + 1 + dismissed, given_rules) >= share
