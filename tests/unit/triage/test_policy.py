from datetime import timedelta

import pytest
from msgspec.structs import replace

from flagrank.settings import load_default_policy
from flagrank.triage.policy import Deadline, PolicyChange, compare_policies

DEFAULT_POLICY = load_default_policy()


def test_a_policy_is_named_with_its_version() -> None:
    assert DEFAULT_POLICY.label == "default@1"
    assert replace(DEFAULT_POLICY, name="night", version=12).label == "night@12"


@pytest.mark.parametrize(
    ("severity", "hours"), [(0.5, 72), (3.9, 72), (4, 24), (12, 4), (24, 4), (25, 1), (99, 1)]
)
def test_the_more_severe_a_report_the_sooner_its_review_is_due(severity: float, hours: int) -> None:
    assert DEFAULT_POLICY.time_to_review(severity) == timedelta(hours=hours)


def test_a_severity_by_abuse_type_holds_for_that_type_and_reason_only() -> None:
    policy = replace(DEFAULT_POLICY, severities_by_abuse_type={"PRF": {"nudity": 7.0, "other": 3.0}})
    assert policy.severity_of("nudity", "PRF") == 7
    assert policy.severity_of("nudity", "MSG") == policy.severity_of("nudity") == 2
    assert policy.severity_of("spam", "PRF") == 1
    assert policy.severity_of(None, "PRF") == policy.severity_of("gone", "PRF") == 3


def test_a_policy_does_not_differ_from_itself_under_another_number() -> None:
    assert compare_policies(DEFAULT_POLICY, replace(DEFAULT_POLICY, version=9)) == []


def test_what_was_changed_added_and_removed_is_told_by_place() -> None:
    severities = {**DEFAULT_POLICY.severities, "fraud": 8.0, "spam": 0.5}
    del severities["hate"]
    after = replace(
        DEFAULT_POLICY,
        name="night",
        severities=severities,
        deadlines=(*DEFAULT_POLICY.deadlines[:2], Deadline(12.5, 2.0), DEFAULT_POLICY.deadlines[3]),
        exposure=replace(DEFAULT_POLICY.exposure, life_hours={"MSG": 24.0}),
        severities_by_abuse_type={"PRF": {"nudity": 7.0}},
        moderator_ids={"ann": ("u-1", "u-2")},
    )
    assert compare_policies(DEFAULT_POLICY, after) == [
        PolicyChange("name", "default", "night"),
        PolicyChange("severities.spam", 1.0, 0.5),
        PolicyChange("severities.hate", 6.0, None),
        PolicyChange("deadlines.12.hours", 4.0, None),
        PolicyChange("exposure.life_hours.PRF", 120.0, None),
        PolicyChange("severities.fraud", None, 8.0),
        PolicyChange("deadlines.12.5.hours", None, 2.0),
        PolicyChange("severities_by_abuse_type.PRF.nudity", None, 7.0),
        PolicyChange("moderator_ids.ann", None, '["u-1","u-2"]'),
    ]
