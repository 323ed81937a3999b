import numpy as np
from xgboost import XGBClassifier

from flagrank.scoring.session import ModelSession
from flagrank.training.calibration import Calibration, apply_calibration
from flagrank.training.conversion import close_graph
from flagrank.training.tree_graph import draw_trees, find_thresholds
from flagrank.training.trees import Trees

DATA = np.random.default_rng(3).normal(size=(500, 3)).astype(np.float32)
CALIBRATION = Calibration(1.3, 0.4)
NAMES = ("a", "b", "c")


def test_a_stump_without_splits_still_makes_a_graph() -> None:
    constant = XGBClassifier(n_estimators=1, n_jobs=1).fit(np.zeros((50, 3), np.float32), np.tile([0, 1], 25))
    session = ModelSession(close_graph(draw_trees(constant), CALIBRATION), NAMES)
    native = apply_calibration(CALIBRATION, Trees(constant).predict_margins(DATA))
    np.testing.assert_allclose(session.score(DATA), native, rtol=0, atol=1e-6)
    assert find_thresholds(constant) == {}


def test_thresholds_are_the_values_at_which_the_trees_split() -> None:
    data = np.arange(100, dtype=np.float32)[:, np.newaxis]
    stump = XGBClassifier(n_estimators=1, max_depth=1, n_jobs=1).fit(data, (data[:, 0] >= 40).astype(int))
    assert {column: values.tolist() for column, values in find_thresholds(stump).items()} == {0: [40.0]}
