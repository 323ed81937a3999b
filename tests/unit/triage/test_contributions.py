from math import fsum, prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagrank.settings import load_default_policy
from flagrank.triage.case import CaseReport, gather_evidence, to_log_odds
from flagrank.triage.contributions import split_priority, split_score
from flagrank.triage.priority import assess_case
from tests.case_reports import make_report

POLICY = load_default_policy()
REPORTS = st.lists(
    st.builds(
        make_report,
        st.floats(0.01, 0.99),
        st.sampled_from([None, "a", "b", "c"]),
        st.floats(0, 600),
        record=st.floats(-2, 2),
        reason=st.sampled_from([None, "spam", "threat"]),
        exposure=st.none() | st.floats(0, 1e6),
    ),
    min_size=1,
    max_size=8,
)


@given(REPORTS)
def test_the_factors_multiply_to_the_priority_and_the_terms_add_up_to_the_score(
    reports: list[CaseReport],
) -> None:
    evidence = gather_evidence(reports)
    standing = assess_case(evidence, POLICY)
    factors = split_priority(standing.score, standing.severity, standing.exposure, POLICY.exposure.power)
    assert prod(factor.value for factor in factors) == pytest.approx(standing.priority)
    terms = split_score(evidence, POLICY.pool)
    assert fsum(term.log_odds for term in terms) == pytest.approx(to_log_odds(standing.score))
