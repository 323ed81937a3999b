from collections.abc import Sequence

import numpy as np
import pytest

from flagrank.training.feature_facts import MOST_FEATURES, FeatureFacts, describe_features
from flagrank.triage.feature_schema import Feature, FeatureSchema


def describe(feature: Feature, values: Sequence[float]) -> FeatureFacts:
    (facts,) = describe_features(FeatureSchema((feature,)), np.array(values, np.float32)[:, None], {})
    return facts


def test_a_number_is_told_by_quantiles_that_are_values_of_it() -> None:
    facts = describe(Feature("age", "integer"), [*range(1, 102), np.nan, np.nan, np.nan])
    assert dict(facts.spread) == {
        "least": "1",
        "5 %": "6",
        "25 %": "26",
        "median": "51",
        "75 %": "76",
        "95 %": "96",
        "most": "101",
    }
    assert facts.distinct == 101
    assert facts.null_rate == pytest.approx(3 / 104)


def test_a_category_is_told_by_its_commonest_values() -> None:
    kinds = Feature("kind", "category", values=("a", "b", "c", "d", "e"), open=True)
    facts = describe(kinds, [0] * 4 + [1] * 30 + [2] * 20 + [3] * 10 + [4] * 6 + [-1] * 30)
    assert facts.spread == (
        ("not listed", "30 %"),
        ("b", "30 %"),
        ("c", "20 %"),
        ("d", "10 %"),
        ("2 more", "10 %"),
    )


def test_a_boolean_is_told_by_its_words() -> None:
    assert describe(Feature("new", "boolean"), [0, 1, 0, 0]).spread == (("false", "75 %"), ("true", "25 %"))


def test_a_constant_and_an_empty_column_are_told_apart() -> None:
    assert describe(Feature("age", "number"), [2.5, 2.5]).spread == (("always", "2.5"),)
    empty = describe(Feature("age", "number"), [np.nan, np.nan])
    assert (empty.spread, empty.distinct, empty.null_rate) == ((), 0, 1.0)


def test_the_most_important_features_come_first_and_no_more_than_can_be_read() -> None:
    schema = FeatureSchema(tuple(Feature(f"f{number}", "number") for number in range(MOST_FEATURES + 5)))
    importances = {name: number / 10_000 for number, name in enumerate(schema.names)}
    facts = describe_features(schema, np.zeros((3, len(schema.feature)), np.float32), importances)
    assert [one.name for one in facts] == [f"f{number}" for number in range(MOST_FEATURES + 4, 4, -1)]
