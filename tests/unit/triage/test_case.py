from math import log

import pytest

from flagrank.triage.case import (
    MOST_GROUNDS,
    Ground,
    Voice,
    add_report,
    gather_evidence,
    is_answered,
    join_key,
    make_voice,
    to_log_odds,
)
from tests.case_reports import BASE_RATE, at, make_report


def test_log_odds_of_a_chance_and_its_complement_are_opposite() -> None:
    assert to_log_odds(0.5) == 0
    assert to_log_odds(0.75) == pytest.approx(log(3))
    assert to_log_odds(0.25) == pytest.approx(-log(3))


def test_log_odds_of_certainty_are_finite() -> None:
    assert to_log_odds(1.0) == -to_log_odds(0.0) == pytest.approx(36.04, abs=0.01)
    assert to_log_odds(1e-300) == to_log_odds(0.0)


def test_a_voice_weighs_by_how_far_its_score_lies_above_the_base_rate() -> None:
    voice = make_voice(0.6, 0.3, 0.25)
    assert voice.log_odds == pytest.approx(log(1.5))
    assert voice.weight == pytest.approx(log(1.5) - log(3 / 7), abs=1e-9)
    assert voice.record == 0.25
    assert make_voice(0.3, 0.3).weight == 0


def test_a_first_report_opens_a_case() -> None:
    report = make_report(0.6, "ann", 5, record=0.5, made=2, reason="scam", abuse_type="MSG", exposure=7.0)
    evidence = add_report(None, report, None)
    assert (evidence.n_reports, evidence.n_reporters) == (1, 1)
    assert (evidence.max_log_odds, evidence.sum_weight) == (report.voice.log_odds, report.voice.weight)
    assert evidence.sum_record == 0.5
    assert evidence.grounds == (Ground("scam", "MSG", at(5), at(5)),)
    assert evidence.first_received_at == at(5)
    assert evidence.first_made_at == evidence.last_made_at == at(2)


def test_another_reporter_adds_to_the_sums() -> None:
    first, second = make_report(0.6, "ann", record=0.5), make_report(0.4, "bob", record=-0.25)
    evidence = add_report(add_report(None, first, None), second, None)
    assert (evidence.n_reports, evidence.n_reporters) == (2, 2)
    assert evidence.max_log_odds == first.voice.log_odds
    assert evidence.sum_weight == first.voice.weight + second.voice.weight
    assert evidence.sum_record == 0.25


@pytest.mark.parametrize(("first", "again"), [(0.4, 0.6), (0.6, 0.4), (0.6, 0.6)])
def test_of_one_reporter_only_the_highest_score_counts(first: float, again: float) -> None:
    one, other = make_report(first, "ann"), make_report(again, "ann")
    evidence = add_report(add_report(None, one, None), other, one.voice)
    alone = add_report(None, make_report(0.6, "ann"), None)
    assert evidence.n_reports == 2
    assert evidence.n_reporters == 1
    assert (evidence.max_log_odds, evidence.sum_weight) == (alone.max_log_odds, alone.sum_weight)


def test_a_lower_score_with_a_better_record_brings_the_record_only() -> None:
    assert Voice(2.0, 1.0, -1.0).join(Voice(1.0, 0.5, 0.25)) == Voice(2.0, 1.0, 0.25)


def test_anonymous_reports_are_one_reporter_beside_those_with_a_name() -> None:
    evidence = gather_evidence(
        [make_report(0.4), make_report(0.5, "ann"), make_report(0.6), make_report(0.2)]
    )
    highest = gather_evidence([make_report(0.6), make_report(0.5, "ann")])
    assert (evidence.n_reports, evidence.n_reporters) == (4, 2)
    assert evidence.sum_weight == highest.sum_weight
    assert evidence.anonymous == make_voice(0.6, BASE_RATE)


def test_what_is_remembered_of_a_reporter_is_not_read_for_anonymous_reports() -> None:
    evidence = add_report(None, make_report(0.4), None)
    assert add_report(evidence, make_report(0.6), make_voice(0.9, 0.3)) == add_report(
        evidence, make_report(0.6), None
    )


def test_a_group_in_step_is_one_voice() -> None:
    group = gather_evidence([make_report(0.5 + n / 100, "group 7", n) for n in range(40)])
    assert group.n_reporters == 1
    assert group.sum_weight == make_report(0.89).voice.weight


def test_reports_of_one_reason_and_abuse_type_are_one_ground_from_first_to_last() -> None:
    evidence = gather_evidence(
        [
            make_report(minutes=3, reason="spam", abuse_type="MSG"),
            make_report(minutes=1, reason="spam", abuse_type="MSG"),
            make_report(minutes=2, reason="spam", abuse_type="PRF"),
            make_report(minutes=4),
        ]
    )
    assert evidence.grounds == (
        Ground(None, None, at(4), at(4)),
        Ground("spam", "MSG", at(1), at(3)),
        Ground("spam", "PRF", at(2), at(2)),
    )
    assert evidence.first_received_at == at(1)


def test_words_without_end_share_one_ground_of_their_reason() -> None:
    many = [make_report(minutes=n, reason="spam", abuse_type=f"word {n}") for n in range(3 * MOST_GROUNDS)]
    evidence = gather_evidence(many)
    assert len(evidence.grounds) == MOST_GROUNDS + 1
    assert evidence.grounds[0] == Ground("spam", None, at(MOST_GROUNDS), at(3 * MOST_GROUNDS - 1))


def test_the_exposure_is_the_one_received_last_whenever_it_is_added() -> None:
    old, new, silent = (
        make_report(minutes=1, exposure=50.0),
        make_report(minutes=2, exposure=5.0),
        make_report(),
    )
    for order in ([old, new, silent], [new, silent, old], [silent, new, old]):
        sent = gather_evidence(order).sent
        assert sent is not None
        assert sent.views == 5.0
    assert gather_evidence([silent]).sent is None


def test_of_exposures_received_together_the_one_sent_later_counts() -> None:
    sent = gather_evidence([make_report(exposure=50.0), make_report(exposure=5.0)]).sent
    assert sent is not None
    assert sent.views == 5.0


def test_a_report_made_long_ago_moves_the_first_time_it_was_made() -> None:
    evidence = gather_evidence([make_report(minutes=10), make_report(minutes=11, made=-500)])
    assert (evidence.first_made_at, evidence.last_made_at) == (at(-500), at(10))
    assert evidence.first_received_at == at(10)


def test_a_case_without_reports_is_none() -> None:
    with pytest.raises(ValueError, match="one report or more"):
        gather_evidence([])


def test_reports_join_by_who_is_reported_else_by_content_else_not_at_all() -> None:
    assert join_key("x", "y") == join_key("x", None) == "reported:x"
    assert join_key(None, "x") == "content:x"
    assert join_key(None, None) is None


def test_a_decision_answers_the_reports_made_before_it() -> None:
    assert is_answered(at(1), at(2))
    assert not is_answered(at(2), at(2))
    assert not is_answered(at(3), at(2))
