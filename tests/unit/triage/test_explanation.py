from dataclasses import dataclass
from typing import Any

import pytest

from flagrank.triage.explanation import Driver, describe_drivers, name_feature, show_value
from flagrank.triage.feature_schema import Feature

LENGTH = Feature("text_len", "integer", description="length of the text, in characters")
RATING = Feature("rating", "number", nullable=True, description="reporter's rating; null = unknown")
KIND = Feature("kind", "category", values=("MSG", "PRF"))


@dataclass(frozen=True)
class Case:
    """Contributions of length, rating and kind, and what is said of them."""

    contributions: tuple[float, float, float]
    sentence: str


CASES = {
    "one reason": Case(
        (2.0, 0.0, 0.1),
        "Much more likely than usual to deserve action: raised by length of the text (900, high).",
    ),
    "two reasons": Case(
        (0.7, 0.5, 0.1),
        "More likely than usual to deserve action: raised by length of the text (900, high) and reporter's "
        "rating (unknown).",
    ),
    "a reason and one against": Case(
        (-0.4, 0.2, 0.01),
        "Slightly less likely than usual to deserve action: lowered by length of the text (900, high), "
        "raised by reporter's rating (unknown).",
    ),
    "the way of the whole comes first": Case(
        (0.9, -0.8, -0.7),
        "Less likely than usual to deserve action: lowered by reporter's rating (unknown), raised by length "
        "of the text (900, high).",
    ),
    "two that cancel": Case(
        (1.0, -1.0, 0.0),
        "About as likely as usual to deserve action: lowered by reporter's rating (unknown), raised by "
        "length of the text (900, high).",
    ),
    "nothing": Case((0.0, 0.0, 0.0), "About as likely as usual to deserve action: no value stands out."),
    "many small ones": Case(
        (0.09, 0.09, 0.09),
        "Slightly more likely than usual to deserve action: raised by length of the text (900, high).",
    ),
}


def drivers(contributions: tuple[float, float, float]) -> list[Driver]:
    length, rating, kind = contributions
    return [
        Driver(LENGTH, 900.0, 0.9, length),
        Driver(RATING, None, 0.0, rating),
        Driver(KIND, "MSG", -1.0, kind),
    ]


@pytest.mark.parametrize("name", CASES)
def test_the_sentence_says_how_likely_and_why(name: str) -> None:
    assert describe_drivers(drivers(CASES[name].contributions)) == CASES[name].sentence


@pytest.mark.parametrize(
    ("description", "name"),
    [
        ("length of the text, in characters", "length of the text"),
        ("what is reported: MSG (a message) or PRF", "what is reported"),
        ("matches (lifetime)", "matches"),
        ("Age of the account. In days.", "Age of the account"),
        ("", "text len"),
        (" ; nothing", "text len"),
        ("two\nlines", "two"),
        ("\u202egnihtyna", "?gnihtyna"),
        ("x" * 61, "x" * 60 + "…"),
    ],
)
def test_a_feature_is_called_by_the_first_words_of_its_description(description: str, name: str) -> None:
    assert name_feature(Feature("text_len", "number", description=description)) == name


@pytest.mark.parametrize(
    ("value", "rank", "shown"),
    [
        (None, 1.0, "unknown"),
        (True, 1.0, "yes"),
        (False, -1.0, "no"),
        ("MSG", 1.0, '"MSG"'),
        ('"), raised by love ("', 0.0, '"\\"), raised by love (\\""'),
        ("a\u202eb\n\u0007", 0.0, '"a?b??"'),
        ("é" * 31, 0.0, f'"{"é" * 30}…"'),
        (1_234_567.0, 0.0, "1,234,567"),
        (-0.0, 0.0, "0"),
        (3.14159, 0.5, "3.142"),
        (4.5, 0.7, "4.5, high"),
        (4.5, -0.7, "4.5, low"),
        (3.4e38, 0.0, "3.4e+38"),
    ],
)
def test_a_value_is_shown_as_people_write_it(value: Any, rank: float, shown: str) -> None:  # noqa: ANN401
    assert show_value(Driver(LENGTH, value, rank, 1.0)) == shown
