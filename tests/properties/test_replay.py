"""A replay ranks by the product's own rules, computed for many cases at once."""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from numpy.typing import NDArray

from flagrank.replay.cases import ABUSE_TYPES, OpenCases
from flagrank.replay.rankings import expected_harm, find_exposures, pool_scores
from flagrank.replay.records import DecidedCases, Records
from flagrank.replay.scored_history import ScoredHistory, score_by_model
from flagrank.settings import load_default_policy
from flagrank.simulation.history import ANONYMOUS
from flagrank.simulation.reasons import REASONS
from flagrank.triage.case import CaseReport, gather_evidence, make_voice
from flagrank.triage.policy import FALLBACK_REASON, Policy, PoolCoefficients
from flagrank.triage.priority import assess_case
from flagrank.triage.reporter_record import Outcome, compute_record, shrink_share, weigh_outcomes
from tests.case_reports import BASE_RATE, START
from tests.histories import write_history

POLICY = load_default_policy()
TARGETS, REPORTERS = 3, 5


@dataclass(frozen=True)
class Told:
    """Reports as triage takes them one by one and as a replay takes them at once; in groups, -1 for none."""

    scored: ScoredHistory
    scores: list[float]
    records: NDArray[np.float64]
    group: list[int]

    def report(self, place: int, *, in_groups: bool) -> CaseReport:
        """The report at this place, by the group of its reporter where the groups are known."""
        reports = self.scored.history.reports
        reporter = int(reports.reporter[place])
        name = None if reporter == ANONYMOUS else str(reporter)
        if name and in_groups and self.group[reporter] >= 0:
            name = f"group {self.group[reporter]}"
        exposure = float(reports.exposure[place])
        made_at = START + timedelta(hours=float(reports.hours[place]))
        return CaseReport(
            voice=make_voice(self.scores[place], BASE_RATE, float(self.records[place])),
            received_at=made_at,
            made_at=made_at,
            reporter=name,
            reason=REASONS[reports.reason[place]],
            abuse_type=ABUSE_TYPES[0],
            exposure=None if np.isnan(exposure) else exposure,
        )


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    slope, coefficient = st.floats(0, 100), st.floats(-100, 100)
    pool = draw(st.builds(PoolCoefficients, coefficient, slope, slope, coefficient, slope))
    exposure = replace(POLICY.exposure, power=draw(st.floats(0, 1)), prior_hours=draw(st.floats(0.1, 100)))
    return replace(POLICY, pool=pool, exposure=exposure)


@st.composite
def told(draw: st.DrawFn) -> Told:
    rows = draw(
        st.lists(
            st.tuples(
                st.integers(0, TARGETS - 1), st.integers(ANONYMOUS, REPORTERS - 1), st.integers(0, 9_000)
            ),
            min_size=1,
            max_size=25,
            unique_by=lambda row: row[2],
        )
    )
    count = len(rows)

    def draw_column(value: st.SearchStrategy[float]) -> list[float]:
        return draw(st.lists(value, min_size=count, max_size=count))

    history = write_history(
        [(target, reporter, minutes / 60) for target, reporter, minutes in rows],
        is_bad=[False] * TARGETS,
        reason=draw(st.lists(st.integers(0, len(REASONS) - 1), min_size=count, max_size=count)),
        exposure=draw_column(st.just(np.nan) | st.floats(0, 1e9)),
    )
    history = type(history)(history.hours, history.reports, history.targets, REPORTERS)
    scores = draw_column(st.floats(0, 1))
    records = np.where(history.reports.reporter < 0, 0.0, draw_column(st.floats(-8, 8)))
    group = draw(st.lists(st.integers(-1, 1), min_size=REPORTERS, max_size=REPORTERS))
    return Told(score_by_model(history, np.array(scores), BASE_RATE), scores, records, group)


def check_all(cases: OpenCases, told: Told, policy: Policy, *, in_groups: bool) -> None:
    """Each open case stands where triage puts it."""
    target = told.scored.history.reports.target
    open_now = np.flatnonzero(cases.is_open)
    statistics = cases.statistics.take(open_now)
    priorities = expected_harm(policy)(statistics)
    for place, one in enumerate(open_now.tolist()):
        heard = [told.report(row, in_groups=in_groups) for row in np.flatnonzero(target == one).tolist()]
        standing = assess_case(gather_evidence(heard), policy)
        assert pool_scores(statistics, policy.pool)[place] == pytest.approx(standing.score, rel=1e-9)
        assert find_exposures(statistics, policy.exposure)[place] == pytest.approx(
            standing.exposure, rel=1e-9
        )
        assert statistics.severity[place] == standing.severity
        assert REASONS[statistics.reason[place]] == standing.reason
        due = (standing.deadline_at - START) / timedelta(hours=1)
        assert statistics.deadline_at[place] == pytest.approx(due)
        assert priorities[place] == pytest.approx(standing.priority, rel=1e-9)


@given(told(), policies(), st.integers(1, 25))
def test_a_case_stands_where_triage_puts_it(told: Told, policy: Policy, size: int) -> None:
    cases = OpenCases(told.scored, policy)
    count = len(told.records)
    for start in range(0, count, size):
        batch = np.arange(start, min(start + size, count))
        cases.add(batch, told.records[batch])
    check_all(cases, told, policy, in_groups=False)


@given(told(), policies(), st.integers(0, 25))
def test_reporters_in_step_are_one_voice_as_in_triage(told: Told, policy: Policy, found_after: int) -> None:
    cases = OpenCases(told.scored, policy)
    count = len(told.records)
    before, after = np.array_split(np.arange(count), [min(found_after, count)])
    cases.add(before, told.records[before])
    again = cases.join_voices(np.array(told.group), len(before))
    cases.hear_again(again, told.records[again])
    cases.add(after, told.records[after])
    check_all(cases, told, policy, in_groups=True)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3_000),
            st.integers(0, len(REASONS) - 1),
            st.booleans(),
            st.integers(0, REPORTERS - 1),
        ),
        max_size=30,
    )
)
def test_a_record_is_that_of_triage(decided: list[tuple[int, int, bool, int]]) -> None:
    rules = POLICY.reporters
    records = Records(REPORTERS, rules)
    decided.sort()
    for hours, reason, is_actioned, reporter in decided:
        one, outcome = np.array([reason]), np.array([is_actioned])
        records.add(DecidedCases(hours, one, outcome, np.array([reporter]), one, outcome))
    now = 3_000.0
    words = [REASONS[reason] or FALLBACK_REASON for _, reason, _, _ in decided]
    for number, word in enumerate(REASONS):
        same = [
            row for row, stated in zip(decided, words, strict=True) if stated == (word or FALLBACK_REASON)
        ]
        recent = [row for row in same if now - row[0] <= 24 * rules.window_days]
        share = shrink_share(sum(row[2] for row in recent), len(recent), rules)
        for reporter in range(REPORTERS):
            outcomes = [
                Outcome(START + timedelta(hours=hours), is_actioned)
                for hours, _, is_actioned, who in same
                if who == reporter
            ]
            tally = weigh_outcomes(outcomes, START + timedelta(hours=now), rules)
            found = records.look_up(np.array([reporter]), np.array([number]), now)[0]
            assert found == pytest.approx(compute_record(tally, share, rules), abs=1e-9)
