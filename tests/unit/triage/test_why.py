"""The sentence that says why a case stands where it does."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from flagrank.triage.review import CaseStatus, QueueCase
from flagrank.triage.why import tell_why

AT = datetime(2026, 1, 5, tzinfo=UTC)
CASE = QueueCase(
    case_id="0199c6a1-64a0-7c5e-9a0d-3f1b5d0e7a21",
    status=CaseStatus.OPEN,
    priority=30.42,
    score=0.62,
    severity=5.0,
    exposure=40.0,
    reason="scam",
    abuse_type="MSG",
    reported_id="u-204",
    content_id="m-88",
    n_reports=2,
    n_reporters=2,
    first_reported_at=AT,
    deadline_at=AT,
    policy_version=1,
    leased_by=None,
    lease_expires_at=None,
    decided_at=None,
)


def change(**values: Any) -> QueueCase:  # noqa: ANN401 - of any field
    return msgspec.structs.replace(CASE, **values)


BY_TWO = (
    "Reported by 2 reporters, at worst for scam (severity 5); 62 % likely to deserve action, "
    "40 further views expected."
)
ONE = change(n_reports=1, n_reporters=1, score=0.004, exposure=1.2)
BY_ONE = (
    "Reported by one reporter for scam (severity 5); under 1 % likely to deserve action, "
    "one further view expected."
)
OFTEN = change(n_reports=1_204, n_reporters=1, reason=None, severity=2.5, score=0.998, exposure=0.2)
OFTEN_BY_ONE = (
    "Reported 1,204 times by one reporter without a reason (severity 2.5); over 99 % likely to "
    "deserve action, no further view expected."
)
CROWD = change(n_reports=5_000, n_reporters=1_700, exposure=1_250_000.0)
BY_CROWD = (
    "Reported 5,000 times by 1,700 reporters, at worst for scam (severity 5); 62 % likely to deserve "
    "action, 1,250,000 further views expected."
)


@pytest.mark.parametrize(
    ("case", "sentence"), [(CASE, BY_TWO), (ONE, BY_ONE), (OFTEN, OFTEN_BY_ONE), (CROWD, BY_CROWD)]
)
def test_a_case_says_why_it_stands_where_it_does(case: QueueCase, sentence: str) -> None:
    assert tell_why(case) == sentence
