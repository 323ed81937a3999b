"""The axioms of Shapley values hold for any model, background and row; the sentence follows them."""

from math import log

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from flagrank.scoring.columns import Matrix
from flagrank.scoring.explanation import Vector, explain_row
from flagrank.triage.explanation import Driver, describe_drivers
from flagrank.triage.feature_schema import Feature

cells = st.sampled_from([np.nan, -1.0, 0.0, 0.5, 1.0, 2.0]) | st.floats(-10, 10, width=32)
weights = st.lists(st.floats(-2, 2), min_size=5, max_size=5).map(np.array)


@st.composite
def rows(draw: st.DrawFn, width: int, most: int = 6) -> Matrix:
    """Some rows of so many features, of values that often meet."""
    count = draw(st.integers(1, most))
    values = draw(st.lists(cells, min_size=count * width, max_size=count * width))
    return np.array(values, np.float32).reshape(count, width)


def squash(odds: NDArray[np.float64]) -> Vector:
    chances: Vector = 1 / (1 + np.exp(-odds))
    return chances


class Net:
    """A small network: null is a value, features meet in two hidden units."""

    def __init__(self, first: Vector, second: Vector) -> None:
        self._first, self._second = first, second

    def __call__(self, matrix: Matrix) -> Vector:
        width = matrix.shape[1]
        values = np.where(np.isnan(matrix), 3.0, matrix.astype(np.float64))  # (n, f)
        one, other = ((values * layer[:width]).sum(axis=1) for layer in (self._first, self._second))
        return squash(np.tanh(one) + one * np.tanh(other) * 0.2)


nets = st.builds(Net, weights, weights)


def explain(net: object, background: Matrix, row: Matrix) -> tuple[float, Vector]:
    assert callable(net)
    return explain_row(net, background, row, float(net(row[np.newaxis])[0]))


@given(nets, rows(4), rows(4, 1))
def test_base_value_and_contributions_add_up_to_the_log_odds(
    net: Net, background: Matrix, row: Matrix
) -> None:
    score = float(net(row)[0])
    base, contributions = explain_row(net, background, row[0], score)
    assert abs(base + contributions.sum() - log(score / (1 - score))) < 1e-9


@given(nets, rows(4), rows(4, 1), st.integers(0, 3))
def test_a_feature_that_is_not_heeded_contributes_nothing(
    net: Net, background: Matrix, row: Matrix, idle: int
) -> None:
    def score(matrix: Matrix) -> Vector:
        return net(np.delete(matrix, idle, axis=1))

    _, contributions = explain(score, background, row[0])
    assert contributions[idle] == 0.0


@given(nets, rows(4), rows(4, 1))
def test_features_that_are_treated_alike_contribute_alike(net: Net, background: Matrix, row: Matrix) -> None:
    def score(matrix: Matrix) -> Vector:
        values = np.nan_to_num(matrix, nan=3.0)
        return net(np.column_stack([values[:, 0] + values[:, 1], values[:, 2], values[:, 3]]))

    twins = [column[:, [0, 0, 2, 3]] for column in (background, row)]
    _, contributions = explain(score, twins[0], twins[1][0])
    assert abs(contributions[0] - contributions[1]) < 1e-9


@given(weights, rows(5), rows(5, 1))
def test_of_a_linear_model_a_contribution_is_weight_times_distance_from_the_mean(
    weight: Vector, background: Matrix, row: Matrix
) -> None:
    def fill(matrix: Matrix) -> Vector:
        return np.where(np.isnan(matrix), 3.0, matrix.astype(np.float64))

    def score(matrix: Matrix) -> Vector:
        return squash((fill(matrix) * weight).sum(axis=1) / 10)

    _, contributions = explain(score, background, row[0])
    expected = weight / 10 * (fill(row)[0] - fill(background).mean(axis=0))
    assert np.abs(contributions - expected).max() < 1e-6  # a chance near 1 has lost digits of its odds


@given(nets, rows(4), rows(4, 1), st.permutations(range(4)))
def test_the_order_of_the_features_does_not_matter(
    net: Net, background: Matrix, row: Matrix, order: list[int]
) -> None:
    def score(matrix: Matrix) -> Vector:
        return net(matrix[:, np.argsort(order)])

    base, contributions = explain(net, background, row[0])
    moved_base, moved = explain(score, background[:, order], row[0][order])
    assert abs(moved_base - base) < 1e-9
    assert np.abs(moved - contributions[order]).max() < 1e-9


@given(nets, rows(4), rows(4, 1), st.randoms())
def test_the_order_of_the_background_does_not_matter(
    net: Net, background: Matrix, row: Matrix, random: object
) -> None:
    order = list(range(len(background)))
    random.shuffle(order)  # type: ignore[attr-defined]
    base, contributions = explain(net, background, row[0])
    moved_base, moved = explain(net, background[order], row[0])
    assert abs(moved_base - base) < 1e-9
    assert np.abs(moved - contributions).max() < 1e-9


texts = st.text(max_size=80)
values = st.none() | st.booleans() | texts | st.floats(allow_nan=False, width=32, allow_infinity=False)
sizes = st.floats(-40, 40)
drivers = st.lists(
    st.builds(
        Driver,
        st.builds(Feature, st.text("abc_ ", min_size=1), st.just("number"), description=texts),
        values,
        st.floats(-1, 1),
        sizes,
    ),
    min_size=1,
    max_size=10,
)


@given(drivers)
def test_a_sentence_is_one_short_printable_line_and_the_same_each_time(given_drivers: list[Driver]) -> None:
    sentence = describe_drivers(given_drivers)
    assert sentence.isprintable()
    assert len(sentence) <= 320
    assert sentence.endswith(".")
    assert sentence == describe_drivers(list(given_drivers))


@given(st.lists(sizes, min_size=1, max_size=10))
def test_a_sentence_names_at_most_two_values_and_first_one_that_points_its_way(
    given_sizes: list[float],
) -> None:
    plain = [
        Driver(Feature(f"x{place}", "number"), 7.25, 0.0, size) for place, size in enumerate(given_sizes)
    ]
    sentence = describe_drivers(plain)
    assert sentence.count("(7.25)") <= 2
    total = sum(given_sizes)
    if abs(total) >= 0.1:
        claim, _, reasons = sentence.partition(":")
        assert ("more" in claim.lower()) is (total > 0)
        assert reasons.startswith(" raised by" if total > 0 else " lowered by")
        largest = max(plain, key=lambda driver: driver.contribution * (1 if total > 0 else -1))
        assert reasons.split("(")[0].endswith(f" by {largest.feature.name} ")
