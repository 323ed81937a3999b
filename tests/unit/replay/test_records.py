import numpy as np
import pytest

from flagrank.replay.records import DecidedCases, Records
from flagrank.settings import load_default_policy
from flagrank.simulation.reasons import REASONS

SPAM, OTHER, NULL = (REASONS.index(reason) for reason in ("spam", "other", None))
DAY = 24.0
RULES = load_default_policy().reporters


def record_of(records: Records, reporter: int, reason: int = SPAM, hours: float = 0.0) -> float:
    return float(records.look_up(np.array([reporter]), np.array([reason]), hours)[0])


def decide(records: Records, reporter: int, outcomes: str, reason: int = SPAM, hours: float = 0.0) -> None:
    """Decide a case of this reporter's for each letter: a, actioned; d, dismissed."""
    reasons, is_actioned = np.full(len(outcomes), reason), np.array(list(outcomes)) == "a"
    people = np.full(len(outcomes), reporter)
    records.add(DecidedCases(hours, reasons, is_actioned, people, reasons, is_actioned))


def test_a_stranger_and_an_anonymous_crowd_have_no_record() -> None:
    records = Records(2, RULES)
    decide(records, 1, "d" * 20)
    decide(records, -1, "d" * 20)
    assert record_of(records, 0) == 0
    assert record_of(records, -1) == 0


def test_a_case_counts_once_in_the_usual_share_whoever_was_on_it() -> None:
    records = Records(20, RULES)
    crowd, dismissed = np.arange(20), np.zeros(20, dtype=np.bool_)
    reason = np.full(20, SPAM)
    records.add(DecidedCases(0.0, reason[:1], dismissed[:1], crowd, reason, dismissed))
    usual = (0 + 0.3 * 10) / (1 + 10)
    assert record_of(records, 0) == pytest.approx(np.log((3 * usual + 0) / (3 + 1)) - np.log(usual))


def test_good_reporters_stand_above_bad_ones() -> None:
    records = Records(3, RULES)
    decide(records, 0, "a" * 5)
    decide(records, 1, "d" * 5)
    assert record_of(records, 0) > record_of(records, 2) > record_of(records, 1)


def test_a_bad_month_is_forgotten_when_the_window_is_over() -> None:
    records = Records(1, RULES)
    for day in range(30):
        decide(records, 0, "d", hours=day * DAY)
    bad = record_of(records, 0, hours=30 * DAY)
    half_way = record_of(records, 0, hours=75 * DAY)
    assert bad < -1.5
    assert bad < half_way < 0
    assert record_of(records, 0, hours=119.01 * DAY) == pytest.approx(0, abs=1e-9)


def test_a_record_counts_for_its_reason_and_no_reason_counts_as_other() -> None:
    records = Records(2, RULES)
    decide(records, 0, "a" * 5, reason=NULL)
    assert record_of(records, 0, reason=OTHER) == record_of(records, 0, reason=NULL) > 0
    assert record_of(records, 0, reason=SPAM) == 0
