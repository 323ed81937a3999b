import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from xgboost import XGBClassifier

from flagrank.scoring.session import INPUT_NAME, ModelSession
from flagrank.training.calibration import Calibration, apply_calibration
from flagrank.training.conversion import MARGIN_NAME, close_graph, close_graph_of_others, make_body
from flagrank.training.tree_graph import draw_trees
from flagrank.training.trees import Trees

RANDOM = np.random.default_rng(3)
DATA = RANDOM.normal(size=(2_000, 3)).astype(np.float32)
DATA[RANDOM.random(DATA.shape) < 0.1] = np.nan
LABELS = (RANDOM.random(2_000) < 1 / (1 + np.exp(-np.nan_to_num(DATA[:, 0]) * 2))).astype(np.int8)
CLASSIFIER = XGBClassifier(n_estimators=20, max_depth=3, n_jobs=1).fit(DATA, LABELS)
CALIBRATION = Calibration(1.3, 0.4)
NAMES = ("a", "b", "c")


def test_the_graph_scores_as_trees_and_calibration_do() -> None:
    session = ModelSession(close_graph(draw_trees(CLASSIFIER), CALIBRATION), NAMES)
    native = apply_calibration(CALIBRATION, Trees(CLASSIFIER).predict_margins(DATA))
    np.testing.assert_allclose(session.score(DATA), native, rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 64, 999])
def test_a_score_is_the_same_to_the_bit_in_any_batch(size: int) -> None:
    session = ModelSession(close_graph(draw_trees(CLASSIFIER), CALIBRATION), NAMES)
    parts = [session.score(DATA[start : start + size]) for start in range(0, len(DATA), size)]
    assert np.array_equal(np.concatenate(parts), session.score(DATA))


def test_the_same_classifier_gives_the_same_bytes() -> None:
    assert close_graph(draw_trees(CLASSIFIER), CALIBRATION) == close_graph(
        draw_trees(CLASSIFIER), CALIBRATION
    )


def test_different_margins_never_get_equal_scores() -> None:
    session = ModelSession(close_graph(draw_trees(CLASSIFIER), CALIBRATION), NAMES)
    margins = Trees(CLASSIFIER).predict_margins(DATA)
    order = np.argsort(margins)
    scores = session.score(DATA)[order]
    apart = np.diff(margins[order]) > 1e-4  # summed in another order, margins differ in their last bits
    assert apart.any()
    assert (np.diff(scores)[apart] > 0).all()


def _make_rough_body() -> onnx.ModelProto:
    """Log-odds by way of a Softplus, whose last bit depends on a row's place in its batch."""
    weights = np.array([[0.7], [-0.4], [0.2]], np.float32)
    nodes = [
        helper.make_node("Where", ["is_null", "zero", INPUT_NAME], ["filled"]),
        helper.make_node("MatMul", ["filled", "weights"], ["sum"]),
        helper.make_node("Softplus", ["sum"], [MARGIN_NAME]),
    ]
    nodes.insert(0, helper.make_node("IsNaN", [INPUT_NAME], ["is_null"]))
    constants = [
        numpy_helper.from_array(weights, "weights"),
        helper.make_tensor("zero", TensorProto.FLOAT, [], [0.0]),
    ]
    return make_body(nodes, 3, constants)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 999])
def test_a_graph_of_others_that_mixes_rows_runs_each_alone(size: int) -> None:
    rough = ModelSession(close_graph(_make_rough_body(), CALIBRATION), NAMES)
    session = ModelSession(close_graph_of_others(_make_rough_body(), CALIBRATION, DATA), NAMES)
    parts = [session.score(DATA[start : start + size]) for start in range(0, len(DATA), size)]
    assert np.array_equal(np.concatenate(parts), session.score(DATA))
    np.testing.assert_allclose(session.score(DATA), rough.score(DATA), rtol=0, atol=1e-7)


def test_a_graph_of_others_that_keeps_rows_apart_stays_as_it_is() -> None:
    body = draw_trees(CLASSIFIER)
    assert close_graph_of_others(body, CALIBRATION, DATA) == close_graph(body, CALIBRATION)
    assert close_graph_of_others(_make_rough_body(), CALIBRATION, DATA) != close_graph(
        _make_rough_body(), CALIBRATION
    )
