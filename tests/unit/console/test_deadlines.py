from datetime import timedelta

import msgspec
import pytest

from flagrank.console.deadlines import tell_deadline, tell_span
from tests.case_reports import START
from tests.unit.console.cases import make_case


@pytest.mark.parametrize(
    ("minutes", "words"),
    [
        (0.5, "under 1 min"),
        (1, "1 min"),
        (59.9, "59 min"),
        (60, "1 h"),
        (125, "2 h 5 min"),
        (24 * 60, "1 d"),
        (24 * 60 + 59, "1 d"),
        (3 * 24 * 60 + 4 * 60 + 5, "3 d 4 h"),
    ],
)
def test_a_span_is_told_in_its_two_largest_units(minutes: float, words: str) -> None:
    assert tell_span(timedelta(minutes=minutes)) == words


@pytest.mark.parametrize(
    ("minutes", "urgency", "words"),
    [
        (61, "later", "in 1 h 1 min"),
        (59, "soon", "in 59 min"),
        (0, "soon", "in under 1 min"),
        (-60, "over", "over by 1 h"),
    ],
)
def test_a_deadline_urges_within_the_hour_and_past_it(minutes: int, urgency: str, words: str) -> None:
    due = tell_deadline(make_case(deadline_at=START + timedelta(minutes=minutes)), START)
    assert (due.urgency, due.words) == (urgency, words)


@pytest.mark.parametrize(("late", "words"), [(0, "kept"), (1, "missed")])
def test_a_decided_case_urges_no_more(late: int, words: str) -> None:
    case = make_case(deadline_at=START)
    case = msgspec.structs.replace(case, decided_at=START + timedelta(seconds=late))
    due = tell_deadline(case, START + timedelta(days=9))
    assert (due.urgency, due.words) == ("later", words)
