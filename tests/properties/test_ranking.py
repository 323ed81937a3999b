"""The ranking is a total order by priority, and priority follows the score."""

import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET
from msgspec.structs import replace

from flagrank.settings import load_default_policy
from flagrank.triage.feature_schema import Feature, FeatureSchema
from flagrank.triage.priority import compute_priority, prioritise_reports, rank
from flagrank.triage.report import Report, report_type

DEFAULT_POLICY = load_default_policy()

SCHEMA = FeatureSchema((Feature("a", "number", optional=True),))
REPORT = report_type(SCHEMA)

scores = st.floats(0, 1, exclude_min=True, exclude_max=True)
base_rates = st.floats(0, 1)
exposures = st.floats(0, 1e9)
reasons = st.sampled_from(sorted(DEFAULT_POLICY.severities))
priorities = st.lists(st.one_of(st.sampled_from([0.0, 0.5, 1.0]), st.floats(0, 1e12)), max_size=40)


def make_report(reason: str | None, exposure: float | None) -> Report:
    return REPORT(
        reason=UNSET if reason is None else reason, exposure=UNSET if exposure is None else exposure
    )


@given(priorities)
def test_every_report_stands_in_the_ranking_once(given_priorities: list[float]) -> None:
    assert sorted(rank(given_priorities)) == list(range(len(given_priorities)))


@given(priorities)
def test_each_report_has_a_higher_priority_than_the_next_or_was_sent_before_it(values: list[float]) -> None:
    ranking = rank(values)
    for first, second in pairwise(ranking):
        assert values[first] > values[second] or (values[first] == values[second] and first < second)


@given(st.lists(st.floats(0, 1e12), unique=True, max_size=20), st.data())
def test_where_none_tie_the_order_sent_does_not_matter(values: list[float], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(values))
    assert [values[i] for i in rank(values)] == [shuffled[i] for i in rank(shuffled)]


@given(scores, scores, reasons, exposures)
def test_priority_rises_with_the_score(one: float, other: float, reason: str, exposure: float) -> None:
    low, high = sorted([one, other])
    severity = DEFAULT_POLICY.severities[reason]
    lower = compute_priority(low, severity, exposure, DEFAULT_POLICY)
    higher = compute_priority(high, severity, exposure, DEFAULT_POLICY)
    assert lower <= higher
    assert lower < higher or math.isclose(low, high, rel_tol=1e-15, abs_tol=1e-300)


@given(scores, reasons, exposures, exposures)
def test_priority_never_falls_with_exposure(score: float, reason: str, one: float, other: float) -> None:
    severity = DEFAULT_POLICY.severities[reason]
    low, high = sorted([one, other])
    assert compute_priority(score, severity, low, DEFAULT_POLICY) <= compute_priority(
        score, severity, high, DEFAULT_POLICY
    )


@given(scores, exposures, st.floats(0, 1))
def test_priority_is_finite_and_positive_under_any_power(score: float, exposure: float, power: float) -> None:
    policy = replace(DEFAULT_POLICY, exposure=replace(DEFAULT_POLICY.exposure, power=power))
    assert 0 <= compute_priority(score, 25.0, exposure, policy) < math.inf


@given(
    st.lists(st.builds(make_report, st.none() | reasons, st.none() | exposures), min_size=1, max_size=20),
    st.data(),
)
def test_a_report_has_the_priority_it_has_alone(reports: list[Report], data: st.DataObject) -> None:
    given_scores = [data.draw(scores) for _ in reports]
    rates = [data.draw(base_rates) for _ in reports]
    together = prioritise_reports(reports, given_scores, rates, SCHEMA, DEFAULT_POLICY)
    for report, score, rate, priority in zip(reports, given_scores, rates, together, strict=True):
        assert prioritise_reports([report], [score], [rate], SCHEMA, DEFAULT_POLICY) == [priority]
