import numpy as np
import pytest

from flagrank.replay.records import Records
from flagrank.simulation.reasons import REASONS

SPAM, OTHER, NULL = (REASONS.index(reason) for reason in ("spam", "other", None))
DAY = 24.0


def record_of(records: Records, reporter: int, reason: int = SPAM, hours: float = 0.0) -> float:
    return float(records.look_up(np.array([reporter]), np.array([reason]), hours)[0])


def decide(records: Records, reporter: int, outcomes: str, reason: int = SPAM) -> None:
    """Decide a case for each letter at hour 0: a, actioned; d, dismissed."""
    count = len(outcomes)
    records.add(np.full(count, reporter), np.full(count, reason), np.array(list(outcomes)) == "a", 0.0)


def test_a_record_is_the_formula_of_the_design() -> None:
    records = Records(2)
    decide(records, 0, "aad")
    usual = (2 + 0.3 * 10) / (3 + 10)
    assert record_of(records, 0) == pytest.approx(np.log((3 * usual + 2) / (3 + 3)) - np.log(usual))


def test_a_stranger_and_an_anonymous_crowd_have_no_record() -> None:
    records = Records(2)
    decide(records, 1, "d" * 20)
    decide(records, -1, "d" * 20)
    assert record_of(records, 0) == pytest.approx(0)
    assert record_of(records, -1) == 0


def test_good_reporters_stand_above_bad_ones() -> None:
    records = Records(3)
    decide(records, 0, "a" * 5)
    decide(records, 1, "d" * 5)
    assert record_of(records, 0) > record_of(records, 2) > record_of(records, 1)


def test_a_bad_record_fades() -> None:
    records = Records(2)
    decide(records, 0, "d" * 10)
    now, in_a_month, in_a_year = (record_of(records, 0, hours=days * DAY) for days in (0, 30, 365))
    assert now < in_a_month < in_a_year < 0
    assert in_a_year == pytest.approx(0, abs=0.01)
    usual = (0 + 3) / (10 + 10)
    assert in_a_month == pytest.approx(np.log(3 * usual / (3 + 5)) - np.log(usual))


def test_a_record_counts_for_its_reason_and_no_reason_counts_as_other() -> None:
    records = Records(2)
    decide(records, 0, "a" * 5, reason=NULL)
    assert record_of(records, 0, reason=OTHER) == record_of(records, 0, reason=NULL) > 0
    assert record_of(records, 0, reason=SPAM) == pytest.approx(0)
