import numpy as np
import pytest
from numpy.typing import NDArray

from flagrank.scoring.columns import Matrix
from flagrank.scoring.session import ModelSession
from flagrank.training.calibration import Calibration, apply_calibration
from flagrank.training.conversion import close_graph
from flagrank.training.network_graph import draw_network
from flagrank.training.network_inputs import NetworkInputs, fit_inputs

RANDOM = np.random.default_rng(4)
CALIBRATION = Calibration(1.1, -0.3)
NAMES = ("kind", "size", "rate", "level")


def _make_data(rows: int = 2_000) -> Matrix:
    columns = [RANDOM.integers(-1, 3, rows), RANDOM.integers(0, 10**9, rows), *RANDOM.normal(size=(2, rows))]
    data = np.column_stack(columns).astype(np.float32)
    data[RANDOM.random(data.shape) < 0.1] = np.nan
    return data


DATA = _make_data()
INPUTS = fit_inputs(DATA, (RANDOM.random(len(DATA)) < 0.3).astype(np.int8), (3, None, None, None))


def _make_weights(inputs: NetworkInputs) -> list[NDArray[np.float32]]:
    width = len(inputs.fills) + len(inputs.columns) + 4
    shapes = [(5, 4), (width, 64), (64,), (64, 32), (32,), (32, 1), (1,)]
    return [(RANDOM.normal(size=shape) / shape[0] ** 0.5).astype(np.float32) for shape in shapes]


WEIGHTS = _make_weights(INPUTS)
SESSION = ModelSession(close_graph(draw_network(INPUTS, WEIGHTS), CALIBRATION), NAMES)


def _score_by_hand(data: Matrix) -> NDArray[np.float64]:
    table, *dense = WEIGHTS
    is_null = np.isnan(data)
    filled = np.where(is_null, INPUTS.fills, data)
    pieces = ((filled[:, INPUTS.columns] - INPUTS.starts) * INPUTS.rates).clip(0, 1)
    signal = np.hstack([is_null, pieces, table[(filled[:, 0] + 2).astype(int)]]).astype(np.float64)
    for kernel, bias in zip(dense[:-2:2], dense[1:-2:2], strict=True):
        signal = np.maximum(signal @ kernel + bias, 0)
    return apply_calibration(CALIBRATION, (signal @ dense[-2] + dense[-1])[:, 0])


def test_the_graph_computes_what_its_weights_say() -> None:
    np.testing.assert_allclose(SESSION.score(DATA), _score_by_hand(DATA), rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 8, 16, 64, 999])
def test_a_score_is_the_same_to_the_bit_in_any_batch(size: int) -> None:
    parts = [SESSION.score(DATA[start : start + size]) for start in range(0, len(DATA), size)]
    assert np.array_equal(np.concatenate(parts), SESSION.score(DATA))


def test_nothing_but_a_category_makes_a_graph() -> None:
    data = DATA[:, :1]
    inputs = fit_inputs(data, np.zeros(len(data), np.int8), (3,))
    shapes = [(5, 4), (5, 1), (1,)]
    weights = [RANDOM.normal(size=shape).astype(np.float32) for shape in shapes]
    session = ModelSession(close_graph(draw_network(inputs, weights), CALIBRATION), NAMES[:1])
    assert len(np.unique(session.score(data))) == 5  # null, unknown, and three values
