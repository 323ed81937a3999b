import numpy as np
import pytest
from numpy.typing import NDArray

from flagrank.scoring.columns import Matrix
from flagrank.training.jumps import find_jumps
from flagrank.triage.feature_schema import Feature, FeatureSchema

SCHEMA = FeatureSchema(
    (Feature("kind", "category", values=("a", "b")), Feature("size", "integer"), Feature("rate", "number"))
)
RANDOM = np.random.default_rng(5)
DATA = np.column_stack(
    [RANDOM.integers(0, 2, 400), RANDOM.integers(0, 10**9, 400), RANDOM.normal(size=400)]
).astype(np.float32)
DATA[::7, 2] = np.nan


def _score(rows: Matrix) -> NDArray[np.float64]:
    """Steps at 500,000,000 of size, and at -0.3 and 0.7 of rate where the kind is b."""
    large = rows[:, 1] >= np.float32(5e8)
    rate = np.nan_to_num(rows[:, 2])
    steps = 0.1 * (rate > -0.3) + 0.1 * (rate > 0.7)
    scores: NDArray[np.float64] = 0.2 + 0.3 * large + steps * (rows[:, 0] == 1)
    return scores


def test_every_place_where_a_score_jumps_is_found_to_the_last_bit() -> None:
    jumps = find_jumps(_score, SCHEMA, DATA, seed=0)
    assert jumps[1].tolist() == [5e8]
    past = [float(np.nextafter(np.float32(place), np.float32(9))) for place in (-0.3, 0.7)]
    assert jumps[2].tolist() == pytest.approx(past, abs=1e-7)
    below = np.nextafter(jumps[2], np.float32(-np.inf))
    for value, before in zip(jumps[2], below, strict=True):
        rows = np.array([[1, 0, before], [1, 0, value]], np.float32)
        assert len(set(_score(rows))) == 2


def test_categories_and_columns_that_are_always_null_have_no_jumps() -> None:
    data = DATA.copy()
    data[:, 2] = np.nan
    assert set(find_jumps(_score, SCHEMA, data, seed=0)) == {1}
    assert find_jumps(_score, FeatureSchema(SCHEMA.feature[:1]), data[:, :1], seed=0) == {}
