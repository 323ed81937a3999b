"""A crowd of reporters who were often wrong weighs less than two who were not, under the default policy."""

from hypothesis import given
from hypothesis import strategies as st

from flagrank.settings import load_default_policy
from flagrank.triage.case import gather_evidence
from flagrank.triage.priority import Standing, assess_case
from tests.case_reports import make_report

POLICY = load_default_policy()
BRIGADE = 200
GOOD_SCORE = 0.5


def attack(score: float, record: float, minutes: float, *, in_step: bool) -> Standing:
    """An innocent message, reported by a brigade within so many minutes, alone or found in step."""
    return assess_case(
        gather_evidence(
            make_report(
                score,
                "a group" if in_step else f"member {number}",
                minutes * number / BRIGADE,
                record=record,
                abuse_type="MSG",
            )
            for number in range(BRIGADE)
        ),
        POLICY,
    )


def report_well(hours: float, score: float = GOOD_SCORE) -> Standing:
    """The same, reported by two who don't know each other and were right as often as is usual."""
    reports = [
        make_report(score, name, 60 * hours * place, abuse_type="MSG") for place, name in enumerate("ab")
    ]
    return assess_case(gather_evidence(reports), POLICY)


@given(st.floats(0, 0.85), st.floats(-8, -1), st.floats(0, 60), st.floats(0, 24))
def test_a_brigade_with_bad_records_moves_a_case_less_than_two_good_reporters(
    score: float, record: float, minutes: float, hours: float
) -> None:
    """A record of -1: five cases, all dismissed."""
    brigade, good = attack(score, record, minutes, in_step=False), report_well(hours)
    assert brigade.score < good.score
    assert brigade.priority < good.priority


@given(st.floats(0.05, 0.999), st.floats(-8, -0.5), st.floats(0, 60), st.floats(0, 24))
def test_a_brigade_found_in_step_does_so_whatever_the_model_makes_of_the_target(
    score: float, record: float, minutes: float, hours: float
) -> None:
    """A record of -.5: two cases, both dismissed."""
    brigade, good = attack(score, record, minutes, in_step=True), report_well(hours, score)
    assert brigade.score < good.score
    assert brigade.priority < good.priority
