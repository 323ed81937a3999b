import numpy as np
import pytest

from flagrank.scoring.session import CHUNK_ROWS, ModelSession
from flagrank.triage.errors import PackageRefused
from tests.packages import make_graph, score_natively

WIDTH = 3
NAMES = tuple("abc")


def rows(count: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.random.default_rng(0).normal(size=(count, WIDTH)).astype(np.float32)


@pytest.mark.parametrize("count", [0, 1, CHUNK_ROWS, CHUNK_ROWS + 1, 3 * CHUNK_ROWS])
def test_every_row_is_scored_as_the_native_model_does(count: int) -> None:
    scores = ModelSession(make_graph(WIDTH), NAMES).score(rows(count))
    assert scores.shape == (count,)
    assert scores.dtype == np.float64
    assert np.allclose(scores, score_natively(rows(count)), rtol=0, atol=1e-12)


def test_a_row_has_the_same_score_in_every_chunk() -> None:
    session = ModelSession(make_graph(WIDTH), NAMES)
    matrix = rows(CHUNK_ROWS + 100)
    assert np.array_equal(session.score(matrix)[CHUNK_ROWS - 50 :], session.score(matrix[CHUNK_ROWS - 50 :]))


def test_a_matrix_that_is_a_slice_is_scored_as_its_copy() -> None:
    session = ModelSession(make_graph(WIDTH), NAMES)
    wide = rows(64).T.copy().T
    assert np.array_equal(session.score(wide[::2]), session.score(wide[::2].copy()))


def test_a_graph_of_another_width_is_refused() -> None:
    with pytest.raises(PackageRefused, match=r"features as tensor\(float\) of shape \['n', 3\]"):
        ModelSession(make_graph(WIDTH), ("a", "b"))
