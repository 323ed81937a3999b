from itertools import repeat
from math import log
from typing import Any

import pytest
from msgspec.structs import replace

from flagrank.settings import load_default_policy
from flagrank.triage.case import gather_evidence
from flagrank.triage.feature_schema import Feature, FeatureSchema
from flagrank.triage.policy import Policy, PoolCoefficients
from flagrank.triage.priority import (
    assess_case,
    compute_priority,
    estimate_exposure,
    prioritise_reports,
    rank,
)
from flagrank.triage.report import MAX_EXPOSURE, Report, report_type
from flagrank.triage.reporter_record import Tally, compute_record
from tests.case_reports import BASE_RATE, at, make_report

DEFAULT_POLICY = load_default_policy()

SCHEMA = FeatureSchema(
    (
        Feature("a", "number", optional=True),
        Feature("abuse_type", "category", values=("MSG", "PRF"), nullable=True, optional=True),
    )
)
REPORT = report_type(SCHEMA)


def test_priority_is_chance_times_severity_times_reach() -> None:
    assert compute_priority(0.5, 4.0, 99.0, DEFAULT_POLICY) == pytest.approx(0.5 * 4 * 100**0.7)


def test_unknown_exposure_leaves_score_times_severity() -> None:
    assert compute_priority(0.25, 12.0, 0.0, DEFAULT_POLICY) == 3.0


def prioritise(reports: list[Report], scores: list[float], schema: FeatureSchema = SCHEMA) -> list[float]:
    return prioritise_reports(reports, scores, repeat(BASE_RATE, len(scores)), schema, DEFAULT_POLICY)


def find_priority(score: float, **told: Any) -> float:  # noqa: ANN401 - of several types
    case = make_report(score, base_rate=BASE_RATE, **told)
    return assess_case(gather_evidence([case]), DEFAULT_POLICY).priority


def test_a_report_without_reason_counts_as_other() -> None:
    without, other = prioritise([REPORT(), REPORT(reason="other")], [0.5, 0.5])
    assert without == other == find_priority(0.5)


def test_each_report_has_the_priority_of_a_case_that_held_it_alone() -> None:
    reports = [
        REPORT(reason="minor_safety"),
        REPORT(f1="PRF", exposure=0.0),  # type: ignore[call-arg]
        REPORT(f1="PRF", reason="spam"),  # type: ignore[call-arg]
        REPORT(f1=None, reason="spam", exposure=127.0),  # type: ignore[call-arg]
    ]
    assert prioritise(reports, [0.1, 0.2, 0.3, 0.4]) == [
        find_priority(0.1, reason="minor_safety"),
        find_priority(0.2, abuse_type="PRF", exposure=0.0),
        find_priority(0.3, abuse_type="PRF", reason="spam"),
        find_priority(0.4, reason="spam", exposure=127.0),
    ]


def test_an_abuse_type_that_is_no_category_is_another_thing() -> None:
    schema = FeatureSchema((Feature("abuse_type", "number"),))
    report = report_type(schema)(f0=1.0)  # type: ignore[call-arg]
    assert prioritise([report], [0.5], schema) == [find_priority(0.5)]


def test_a_score_weighs_against_the_base_rate_of_its_model() -> None:
    often, seldom = prioritise_reports([REPORT()] * 2, [0.5, 0.5], [0.4, 0.1], SCHEMA, DEFAULT_POLICY)
    assert often < seldom


def test_as_many_scores_as_reports_are_needed() -> None:
    with pytest.raises(ValueError, match="zip"):
        prioritise([REPORT()], [0.1, 0.2])


def test_ranking_holds_indices_highest_first_and_ties_in_the_order_sent() -> None:
    assert rank([1.0, 3.0, 2.0, 3.0, 1.0]) == [1, 3, 2, 0, 4]


def test_ranking_of_nothing_is_empty() -> None:
    assert rank([]) == []


def with_pool(**coefficients: float) -> Policy:
    nothing = PoolCoefficients(0.0, 0.0, 0.0, 0.0, 0.0)
    return replace(DEFAULT_POLICY, pool=replace(nothing, **coefficients))


@pytest.mark.parametrize(
    ("coefficient", "expected"),
    [
        ("intercept", 1.0),
        ("max_log_odds", log(4)),
        ("sum_weight", log(4) + log(1.5) - 2 * log(3 / 7)),
        ("ln_reporters", log(2)),
        ("sum_record", -0.75),
    ],
)
def test_each_sum_of_a_case_moves_its_log_odds_by_its_coefficient(coefficient: str, expected: float) -> None:
    evidence = gather_evidence([make_report(0.8, "ann", record=-1.0), make_report(0.6, "bob", record=0.25)])
    score = assess_case(evidence, with_pool(**{coefficient: 0.5})).score
    assert log(score / (1 - score)) == pytest.approx(0.5 * expected, abs=1e-8)


def test_a_case_of_thousands_has_a_chance_below_one_and_a_brigade_one_above_zero() -> None:
    crowd = gather_evidence([make_report(0.9, f"r{n}") for n in range(2_000)])
    brigade = gather_evidence([make_report(0.3, f"r{n}", record=-2.0) for n in range(2_000)])
    assert assess_case(crowd, DEFAULT_POLICY).score < 1
    assert 0 < assess_case(brigade, DEFAULT_POLICY).score < 1e-12


def test_exposure_is_the_rate_of_reports_times_life_left_times_views() -> None:
    rules = DEFAULT_POLICY.exposure
    assert estimate_exposure(1, 0.0, "MSG", rules) == pytest.approx(0.3 / 6 * 24 * 30)
    assert estimate_exposure(4, 2.0, "PRF", rules) == pytest.approx(3.3 / 8 * 120 * 30)
    assert estimate_exposure(1, 0.0, None, rules) == estimate_exposure(1, 0.0, "ELSE", rules)
    assert estimate_exposure(1, 0.0, None, rules) == pytest.approx(0.3 / 6 * 48 * 30)
    assert estimate_exposure(10**12, 0.0, None, rules) == MAX_EXPOSURE


def test_a_case_estimates_its_exposure_until_one_is_sent() -> None:
    reports = [make_report(0.5, "ann", 600, abuse_type="MSG"), make_report(0.5, "bob", 601, made=481)]
    guessed = assess_case(gather_evidence(reports), DEFAULT_POLICY)
    hours = 119 / 60
    assert guessed.exposure == pytest.approx(1.3 / (6 + hours) * 48 * 30)  # of equal severity the newest
    told = assess_case(gather_evidence([*reports, make_report(minutes=602, exposure=0.0)]), DEFAULT_POLICY)
    assert told.exposure == 0


def test_a_case_has_the_severity_reason_and_kind_of_its_most_severe_report() -> None:
    standing = assess_case(
        gather_evidence(
            [
                make_report(minutes=1, reason="threat", abuse_type="PRF"),
                make_report(minutes=2, reason="self_harm", abuse_type="MSG"),
                make_report(minutes=3, reason="spam"),
            ]
        ),
        DEFAULT_POLICY,
    )
    assert (standing.severity, standing.reason, standing.abuse_type) == (12, "self_harm", "MSG")


def test_a_policy_may_weigh_a_reason_by_abuse_type() -> None:
    policy = replace(DEFAULT_POLICY, severities_by_abuse_type={"PRF": {"nudity": 20.0}})
    reports = [make_report(reason="nudity", abuse_type="PRF"), make_report(reason="threat", abuse_type="PRF")]
    standing = assess_case(gather_evidence(reports), policy)
    assert (standing.severity, standing.reason) == (20, "nudity")


def test_a_reason_that_a_new_policy_lacks_ranks_as_the_fallback() -> None:
    policy = replace(DEFAULT_POLICY, severities={"other": 3.0})
    standing = assess_case(gather_evidence([make_report(reason="threat")]), policy)
    assert (standing.severity, standing.reason) == (3, "threat")


def test_the_deadline_is_the_earliest_of_all_reports() -> None:
    old = make_report(minutes=0, reason="harassment")
    severe = make_report(minutes=60 * 10, reason="threat")
    standing = assess_case(gather_evidence([old, severe]), DEFAULT_POLICY)
    assert standing.deadline_at == at(60 * 14)
    late = make_report(minutes=60 * 23, reason="threat")
    assert assess_case(gather_evidence([old, late]), DEFAULT_POLICY).deadline_at == at(60 * 24)


def test_priority_of_a_case_is_expected_harm() -> None:
    standing = assess_case(gather_evidence([make_report(0.7, reason="scam", exposure=99.0)]), DEFAULT_POLICY)
    assert standing.priority == standing.score * 5 * 100**0.7


def test_two_good_reporters_move_an_innocent_more_than_a_brigade_with_bad_records() -> None:
    rules = DEFAULT_POLICY.reporters
    bad = compute_record(Tally(5.0, 0.0), 0.3, rules)
    good = compute_record(Tally(5.0, 4.0), 0.3, rules)
    for score in (0.1, 0.3, 0.5, 0.7):
        brigade = gather_evidence([make_report(score, f"b{n}", record=bad) for n in range(200)])
        pair = gather_evidence([make_report(score, f"g{n}", record=good) for n in range(2)])
        assert assess_case(brigade, DEFAULT_POLICY).score < assess_case(pair, DEFAULT_POLICY).score
