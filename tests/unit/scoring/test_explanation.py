from collections.abc import Callable
from itertools import permutations
from math import factorial

import numpy as np
import pytest
from numpy.typing import NDArray
from xgboost import DMatrix, XGBRegressor

from flagrank.scoring.columns import Matrix
from flagrank.scoring.explanation import MOST_ROWS, check_explainable, explain_row
from flagrank.triage.errors import ExplanationRefused

Vector = NDArray[np.float64]
RANDOM = np.random.default_rng(4)


def squash(odds: Vector) -> Vector:
    chances: Vector = 1 / (1 + np.exp(-odds))
    return chances


def score_tangled(rows: Matrix) -> Vector:
    """Every feature meets every other, and null is a value of its own."""
    values = np.where(np.isnan(rows), -2.5, rows.astype(np.float64))  # (n, f)
    return squash(np.sin(values).prod(axis=1) + values[:, 0] * values[:, -1] - 0.3)


def explain_by_definition(
    score: Callable[[Matrix], Vector], background: Matrix, row: Matrix
) -> tuple[float, Vector]:
    """Shapley's own words: the mean, over all orders of arrival, of what each one adds when it comes."""
    width = len(row)

    def value(members: tuple[int, ...]) -> float:
        mixed = background.copy()
        mixed[:, list(members)] = row[list(members)]
        scores = score(mixed)
        return float(np.mean(np.log(scores / (1 - scores))))

    added = np.zeros(width)
    for order in permutations(range(width)):
        for place, feature in enumerate(order):
            added[feature] += value(order[: place + 1]) - value(order[:place])
    return value(()), added / factorial(width)


def make_rows(count: int, width: int) -> Matrix:
    """Few different values, so that rows meet in some, and nulls."""
    rows = RANDOM.integers(-2, 3, (count, width)).astype(np.float32)
    rows[RANDOM.random((count, width)) < 0.2] = np.nan
    return rows


@pytest.mark.parametrize("width", [1, 2, 3, 5])
def test_contributions_are_those_of_the_definition(width: int) -> None:
    background = make_rows(7, width)
    for row in [*make_rows(4, width), background[0], np.full(width, np.nan, np.float32)]:
        score = float(score_tangled(row[np.newaxis])[0])
        base, contributions = explain_row(score_tangled, background, row, score)
        expected_base, expected = explain_by_definition(score_tangled, background, row)
        assert base == pytest.approx(expected_base, abs=1e-12)
        assert contributions == pytest.approx(expected, abs=1e-12)


def test_of_stumps_they_are_those_of_tree_shap() -> None:
    """Without interactions all value functions agree, where the background is the training data."""
    rows = RANDOM.normal(size=(64, 4)).astype(np.float32)
    target = rows[:, 0] - 2 * (rows[:, 1] > 0) + np.abs(rows[:, 2])
    model = XGBRegressor(n_estimators=40, max_depth=1, n_jobs=1).fit(rows, target)

    def score(matrix: Matrix) -> Vector:
        return squash(model.predict(matrix).astype(np.float64))

    tree_shap = model.get_booster().predict(DMatrix(rows), pred_contribs=True)  # (64, 4 + 1)
    for row, expected in zip(rows[:10], tree_shap, strict=False):
        base, contributions = explain_row(score, rows, row, float(score(row[np.newaxis])[0]))
        assert [*contributions, base] == pytest.approx(expected, abs=1e-5)


def test_a_row_is_asked_once_and_the_row_itself_never() -> None:
    asked: list[tuple[float, ...]] = []

    def score(rows: Matrix) -> Vector:
        asked.extend(map(tuple, rows.tolist()))
        values = rows.astype(np.float64)
        return squash(values[:, 0] + values[:, 1] * values[:, 2])

    background = np.array([[0, 0, 0], [1, 0, 5], [1, 2, 3]], np.float32)
    row = np.array([1, 2, 3], np.float32)
    _, contributions = explain_row(score, background, row, float(squash(np.array(7.0))))
    assert len(asked) == (2**3 - 1) + (2**2 - 1) + 0
    assert (1.0, 2.0, 3.0) not in asked
    assert contributions == pytest.approx(explain_by_definition(score, background, row)[1], abs=1e-12)


def test_ten_features_are_explained_exactly() -> None:
    """Where two features meet in a product, each gets the mean of its gain alone and its gain as the last."""
    background = RANDOM.normal(size=(64, 10)).astype(np.float32)
    row = RANDOM.normal(size=10).astype(np.float32)

    def score(rows: Matrix) -> Vector:
        values = rows.astype(np.float64)
        return squash(0.1 * (values[:, ::2] * values[:, 1::2]).sum(axis=1))

    _, contributions = explain_row(score, background, row, float(score(row[np.newaxis])[0]))
    own, other = row.astype(np.float64), background.astype(np.float64)
    partner = np.arange(10) ^ 1
    expected = 0.1 * ((own - other) * (own[partner] + other[:, partner])).mean(axis=0) / 2
    assert contributions == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("count", "width", "rows", "said"),
    [
        (1, 5, 0, "no background rows"),
        (1, 11, 64, "has 11 features"),
        (977, 5, 64, "Send at most 976 reports"),
        (31, 10, 64, "takes 2,031,616 rows of the model"),
    ],
)
def test_what_can_t_be_explained_is_refused_in_words(count: int, width: int, rows: int, said: str) -> None:
    with pytest.raises(ExplanationRefused, match=said):
        check_explainable(count, width, rows)


@pytest.mark.parametrize(("count", "width", "rows"), [(976, 5, 64), (30, 10, 64), (1, 1, 1)])
def test_up_to_the_bound_everything_is_explained(count: int, width: int, rows: int) -> None:
    assert count * rows * 2**width <= MOST_ROWS
    check_explainable(count, width, rows)
