import numpy as np

from flagrank.training.importance import weigh_by_permutation

DATA = np.random.default_rng(1).normal(size=(3_000, 3)).astype(np.float32)
LABELS = (DATA[:, 0] + 0.3 * DATA[:, 1] > 0).astype(np.int8)


def test_a_feature_weighs_what_shuffling_it_costs() -> None:
    weights = weigh_by_permutation(lambda rows: 3 * rows[:, 0] + rows[:, 1], DATA, LABELS)
    assert weights[0] > 2 * weights[1] > 0
    assert weights[2] == 0


def test_the_rows_given_stay_as_they_are() -> None:
    before = DATA.copy()
    weigh_by_permutation(lambda rows: rows[:, 0], DATA, LABELS)
    assert np.array_equal(DATA, before)
