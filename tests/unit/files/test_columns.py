import numpy as np
import pytest

from flagrank.files.columns import exposure_column, feature_column, plain_column, read_truth, reason_column
from flagrank.settings import load_default_policy
from flagrank.triage.feature_schema import Feature

DEFAULT_POLICY = load_default_policy()

INTEGER = Feature("n", "integer", range=(-5, 5), nullable=True)


def test_at_most_twenty_bad_cells_of_a_batch_are_told() -> None:
    assert feature_column(INTEGER).read_text(["x", "1"] * 100).bad == list(range(0, 40, 2))
    assert feature_column(Feature("k", "category", values=("a",))).read_text(["x"] * 100).bad == list(
        range(20)
    )


def test_one_word_among_numbers_does_not_spoil_them() -> None:
    values, bad = feature_column(INTEGER).read_text(["1", "", "x", "-5", "5.0"])
    assert bad == [2]
    assert np.array_equal(values, [1, np.nan, np.inf, -5, 5], equal_nan=True)


def test_category_cells_become_the_texts_of_the_schema() -> None:
    words = ("alpha", "beta")
    feature = Feature("k", "category", values=words)
    values, _ = feature_column(feature).read_text(["".join(list("beta")), "alpha"])
    assert values[0] is words[1]


@pytest.mark.parametrize("value", ["true", "TRUE", "Yes", "1", "1.0", True, 1, 1.0])
def test_what_says_true(value: object) -> None:
    assert read_truth(value) == 1.0


@pytest.mark.parametrize("value", ["false", "False", "nO", "0", "0.0", False, 0, 0.0])
def test_what_says_false(value: object) -> None:
    assert read_truth(value) == 0.0


@pytest.mark.parametrize("value", ["", " true", "t", "on", "-1", "2", 2, -1, 0.5, None, [1], {}])
def test_what_says_neither(value: object) -> None:
    assert read_truth(value) is None


def test_reasons_and_exposures_follow_the_rules_of_a_report() -> None:
    reason = reason_column(DEFAULT_POLICY.severities)
    values, bad = reason.read_text(["spam", "", "Spam"])
    assert (list(values)[:2], bad) == (["spam", None], [2])
    assert "no reason of the active policy" in reason.describe("line 4, column reason", "Spam")
    exposure = exposure_column()
    numbers, wrong = exposure.read_text(["", "0", "1e9", "-1", "many"])
    assert wrong == [3, 4]
    assert np.array_equal(numbers[:3], [np.nan, 0, 1e9], equal_nan=True)
    assert "expected a number from 0 to 1,000,000,000" in exposure.describe("line 5, column exposure", -1)


def test_a_plain_column_takes_what_stands_there() -> None:
    column = plain_column("x")
    assert column.read_text(["a", "", " "]) == (["a", None, " "], ())
    assert column.read_values([1, None, float("nan"), [2]]) == ([1, None, None, [2]], ())
