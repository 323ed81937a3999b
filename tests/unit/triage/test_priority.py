import pytest

from flagrank.triage.feature_schema import Feature, FeatureSchema
from flagrank.triage.policy import DEFAULT_POLICY, Policy
from flagrank.triage.priority import compute_priority, prioritise, rank
from flagrank.triage.report import report_type

REPORT = report_type(FeatureSchema((Feature("a", "number", optional=True),)))


def test_priority_is_chance_times_severity_times_reach() -> None:
    assert compute_priority(0.5, 4.0, 99.0, DEFAULT_POLICY) == pytest.approx(0.5 * 4 * 100**0.7)


def test_unknown_exposure_leaves_score_times_severity() -> None:
    assert compute_priority(0.25, 12.0, 0.0, DEFAULT_POLICY) == 3.0


def test_a_report_without_reason_counts_as_other() -> None:
    without, other = prioritise([REPORT(), REPORT(reason="other")], [0.5, 0.5], DEFAULT_POLICY)
    assert without == other == 1.0


def test_reason_and_exposure_of_each_report_count_for_it_alone() -> None:
    reports = [REPORT(reason="minor_safety"), REPORT(exposure=0.0), REPORT(reason="spam", exposure=127.0)]
    assert prioritise(reports, [0.1, 0.2, 0.3], DEFAULT_POLICY) == pytest.approx([2.5, 0.4, 0.3 * 128**0.7])


def test_as_many_scores_as_reports_are_needed() -> None:
    with pytest.raises(ValueError, match="zip"):
        prioritise([REPORT()], [0.1, 0.2], DEFAULT_POLICY)


def test_ranking_holds_indices_highest_first_and_ties_in_the_order_sent() -> None:
    assert rank([1.0, 3.0, 2.0, 3.0, 1.0]) == [1, 3, 2, 0, 4]


def test_ranking_of_nothing_is_empty() -> None:
    assert rank([]) == []


def test_a_policy_is_named_with_its_version() -> None:
    assert DEFAULT_POLICY.label == "default@1"
    assert Policy("night", 12, {"other": 1.0}, 0.5).label == "night@12"


def test_the_default_policy_has_the_severities_of_the_design() -> None:
    assert DEFAULT_POLICY.severities == {
        "spam": 1,
        "nudity": 2,
        "other": 2,
        "harassment": 4,
        "scam": 5,
        "hate": 6,
        "threat": 12,
        "self_harm": 12,
        "minor_safety": 25,
    }
