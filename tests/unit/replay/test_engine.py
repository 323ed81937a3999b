from dataclasses import replace

import msgspec
import numpy as np
import pytest

from flagrank.replay import rankings
from flagrank.replay.cases import CaseStatistics
from flagrank.replay.engine import STEP_HOURS, Outcome, Terms, play
from flagrank.replay.scored_history import Grouping, ScoredHistory, score_by_draw
from flagrank.settings import load_default_policy
from flagrank.simulation.history import History, draw_history
from flagrank.simulation.scores import STRONG
from flagrank.triage.policy import DrawShares
from tests.histories import write_history

POLICY = load_default_policy()


@pytest.fixture(scope="module")
def history() -> History:
    return draw_history(8000, seed=2)


def terms_for(history: History, capacity: float) -> Terms:
    """Moderators for so many decisions a target."""
    return Terms(POLICY, capacity * len(history.targets) / history.hours)


def play_by(history: History, ranking: rankings.Ranking, capacity: float) -> Outcome:
    return play(score_by_draw(history, STRONG), ranking, terms_for(history, capacity))


def play_written(history: History, ranking: rankings.Ranking, capacity: float) -> Outcome:
    scored = ScoredHistory(history, np.zeros(len(history.reports)), 0.0)
    return play(scored, ranking, terms_for(history, capacity))


def test_the_same_history_is_played_alike(history: History) -> None:
    one, other = (play_by(history, rankings.report_count, 0.3) for _ in range(2))
    assert one.harm_averted == other.harm_averted
    assert np.array_equal(one.decisions.cases.target, other.decisions.cases.target)


@pytest.mark.parametrize("capacity", [0.0, 0.05, 0.4])
def test_moderators_never_decide_more_than_they_can(history: History, capacity: float) -> None:
    decided_at = play_by(history, rankings.highest_score, capacity).decisions.hours
    a_step = capacity * len(history.targets) * STEP_HOURS / history.hours
    allowed = capacity * len(history.targets) * decided_at / history.hours
    assert (np.arange(1, len(decided_at) + 1) <= allowed + 1e-6).all()
    assert np.bincount((decided_at / STEP_HOURS).astype(int), minlength=1).max() <= np.ceil(a_step) + 1
    if capacity:
        assert len(decided_at) > 0.95 * capacity * len(history.targets)


def test_with_no_moderators_nothing_is_averted_and_nothing_seen(history: History) -> None:
    outcome = play_by(history, rankings.highest_score, 0.0)
    assert outcome.harm_averted == 0
    assert outcome.bad_never_seen == 1


def test_with_enough_moderators_every_case_is_seen_in_its_first_half_hour(history: History) -> None:
    outcome = play_by(history, rankings.first_in_first_out, 20.0)
    assert outcome.bad_never_seen == 0
    assert outcome.decisions.hours.max() <= history.hours
    assert outcome.wait_of_bad(1.0) <= 2 * STEP_HOURS


def test_harm_is_averted_from_the_decision_on() -> None:
    # Half of what is ahead at hour 1 is still ahead ten hours later; the capacity is one in 11 hours.
    history = write_history([(0, 0, 1.0)], is_bad=[True], hours=22.0)
    outcome = play_written(history, rankings.report_count, 2.0)
    assert outcome.decisions.hours.tolist() == [11.0]
    assert outcome.waits_of_bad.tolist() == [10.0]
    assert outcome.harm_averted == pytest.approx(0.5)


def test_the_most_urgent_case_is_decided_first() -> None:
    reports = [(0, 0, 1.0), (1, 0, 1.0), (1, 1, 1.5), (2, 0, 1.8)]
    history = write_history(reports, is_bad=[False, False, False], hours=24.0)
    by_count = play_written(history, rankings.report_count, 1.0)
    by_age = play_written(history, rankings.first_in_first_out, 1.0)
    assert by_count.decisions.cases.target.tolist() == [1, 2, 0]
    assert by_age.decisions.cases.target[-1] == 2


def test_what_was_actioned_is_reported_no_more_and_what_was_dismissed_may_be() -> None:
    reports = [(0, 0, 1.0), (1, 0, 1.0), (0, 1, 20.0), (1, 1, 20.0)]
    history = write_history(reports, is_bad=[True, False])
    outcome = play_written(history, rankings.report_count, 10.0)
    assert sorted(outcome.decisions.cases.target) == [0, 1, 1]
    assert outcome.n_cases == 3


def test_a_moderator_who_errs_lets_bad_ones_pass_until_the_next_report() -> None:
    history = write_history([(0, 0, 1.0), (0, 1, 21.0)], is_bad=[True])
    seen = replace(history.targets, looks_bad=np.array([False]))
    outcome = play_written(replace(history, targets=seen), rankings.report_count, 50.0)
    assert outcome.decisions.is_actioned.tolist() == [False, True]
    assert outcome.bad_never_seen == 0
    assert outcome.harm_averted == pytest.approx(0.5 ** (20.0 / 10), rel=0.05)


def test_knowing_the_truth_is_best_and_the_clock_worst(history: History) -> None:
    averted = {
        name: play_by(history, ranking, 0.2).harm_averted
        for name, ranking in (
            ("clock", rankings.first_in_first_out),
            ("score", rankings.highest_score),
            ("truth", rankings.oracle(history)),
        )
    }
    assert averted["clock"] < averted["score"] < averted["truth"] <= 1
    assert averted["truth"] > 0.93


def test_a_ranking_that_is_never_told_exposure_cannot_read_it(history: History) -> None:
    seen: list[bool] = []

    def rank(cases: CaseStatistics) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        seen.append(bool(np.isnan(cases.exposure).all()))
        return np.asarray(cases.n_reports)

    terms = replace(terms_for(history, 0.2), exposure_is_sent=False)
    play(score_by_draw(history, STRONG), rank, terms)
    assert all(seen)
    assert len(seen) > 100


def test_a_brigade_whose_victims_were_dismissed_is_believed_less() -> None:
    victims = [(victim, member, hour) for victim, hour in ((0, 1.0), (1, 20.0)) for member in range(10)]
    history = write_history(victims, is_bad=[False, False])
    decided = play_written(history, rankings.report_count, 10.0).decisions.cases
    assert decided.target.tolist() == [0, 1]
    assert decided.sum_record[0] == pytest.approx(0)
    usual = (0 + 0.3 * 10) / (1 + 10)
    assert decided.sum_record[1] == pytest.approx(10 * np.log(3 * usual / (3 + 1) / usual), rel=0.05)


def test_reporters_in_step_are_one_voice_from_when_they_were_found() -> None:
    reports = [(victim, member, 1.0 + 10 * victim) for victim in range(2) for member in range(10)]
    history = write_history(reports, is_bad=[False, False])
    grouping = Grouping(5.0, np.zeros(10, dtype=np.intp))
    scored = ScoredHistory(history, np.zeros(20), 0.0, (grouping,))
    decided = play(scored, rankings.report_count, terms_for(history, 10.0)).decisions.cases
    assert decided.n_reporters.tolist() == [10, 1]
    assert decided.n_reports.tolist() == [10, 10]


def test_draws_take_the_share_of_decisions_that_the_policy_says(history: History) -> None:
    seen: dict[str, set[int]] = {}
    for name, shares in (
        ("none", DrawShares(0.0, 0.0)),
        ("deadlines", DrawShares(0.5, 0.0)),
        ("blind", DrawShares(0.0, 0.5)),
    ):
        terms = terms_for(history, 0.2)
        drawing = replace(terms, policy=msgspec.structs.replace(POLICY, draws=shares), with_draws=True)
        outcome = play(score_by_draw(history, STRONG), rankings.report_count, drawing)
        seen[name] = set(outcome.decisions.cases.target.tolist())
        assert len(outcome.decisions.hours) == pytest.approx(0.2 * len(history.targets), rel=0.02)
    others = {name: len(seen[name] - seen["none"]) / len(seen["none"]) for name in ("deadlines", "blind")}
    assert 0.3 < others["deadlines"] < 0.6
    assert 0.3 < others["blind"] < 0.6


def test_the_default_draws_cost_little(history: History) -> None:
    scored, terms = score_by_draw(history, STRONG), terms_for(history, 0.2)
    without, with_draws = (
        play(scored, rankings.expected_harm(POLICY), replace(terms, with_draws=drawing)).harm_averted
        for drawing in (False, True)
    )
    assert without - 0.03 < with_draws < without
