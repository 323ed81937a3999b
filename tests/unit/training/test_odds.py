import numpy as np
import pytest
from onnx import TensorProto, helper

from flagrank.scoring.columns import Matrix
from flagrank.scoring.session import INPUT_NAME, ModelSession
from flagrank.training.calibration import AS_IT_IS, apply_calibration
from flagrank.training.conversion import close_graph, make_body
from flagrank.training.odds import LEAST_PROBABILITY, draw_margin, to_margins


def _make_session(width: int) -> ModelSession:
    """A graph whose probabilities are its columns."""
    nodes, constants = draw_margin("given", is_pair=width == 2)
    cast = helper.make_node("Cast", [INPUT_NAME], ["given"], to=TensorProto.FLOAT)
    body = make_body([cast, *nodes], width, constants)
    return ModelSession(close_graph(body, AS_IT_IS), tuple("ab"[:width]))


def _make_probabilities(width: int, rows: int = 2_001) -> Matrix:
    chance = np.random.default_rng(0).random(rows).astype(np.float32)
    chance[:4] = [0, 1, 0.5, 1e-9]
    return np.column_stack([1 - chance, chance])[:, -width:]


@pytest.mark.parametrize("width", [1, 2])
def test_a_graph_turns_probabilities_into_the_log_odds_that_numpy_gives(width: int) -> None:
    given = _make_probabilities(width)
    native = apply_calibration(AS_IT_IS, to_margins(given))
    np.testing.assert_allclose(_make_session(width).score(given), native, rtol=0, atol=1e-12)


@pytest.mark.parametrize("width", [1, 2])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 999])
def test_log_odds_are_the_same_to_the_bit_in_any_batch(width: int, size: int) -> None:
    given, session = _make_probabilities(width), _make_session(width)
    parts = [session.score(given[start : start + size]) for start in range(0, len(given), size)]
    assert np.array_equal(np.concatenate(parts), session.score(given))


def test_a_probability_that_is_left_as_it_is_stays_within_three_millionths() -> None:
    given = _make_probabilities(1)
    scores = apply_calibration(AS_IT_IS, to_margins(given))
    np.testing.assert_allclose(scores, given[:, 0], rtol=0, atol=3e-6)


def test_certain_probabilities_have_finite_odds() -> None:
    margins = to_margins(np.array([0.0, 1.0]))
    assert margins.tolist() == [np.log(LEAST_PROBABILITY), -np.log(LEAST_PROBABILITY)]
