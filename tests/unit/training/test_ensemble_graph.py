from typing import Any

import numpy as np
import pytest
from lightgbm import LGBMClassifier
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier

from flagrank.scoring.columns import Matrix
from flagrank.scoring.session import INPUT_NAME, ModelSession
from flagrank.training.calibration import AS_IT_IS, apply_calibration
from flagrank.training.conversion import MARGIN_NAME, close_graph, make_body
from flagrank.training.ensemble_graph import Tree, draw_ensemble, read_histogram_boosting, read_lightgbm
from flagrank.triage.errors import TrainingRefused

RANDOM = np.random.default_rng(6)
DATA = RANDOM.normal(size=(2_000, 3)).astype(np.float32)
LABELS = (RANDOM.random(2_000) < 1 / (1 + np.exp(-2 * DATA[:, 0]))).astype(np.int8)


def _make_session(trees: list[Tree], start: float = 0.0) -> ModelSession:
    body = make_body(draw_ensemble(trees, start, INPUT_NAME, MARGIN_NAME), 3)
    return ModelSession(close_graph(body, AS_IT_IS), ("a", "b", "c"))


def _add_nulls(data: Matrix) -> Matrix:
    holed = data.copy()
    holed[RANDOM.random(data.shape) < 0.2] = np.nan
    return holed


def _fit_lightgbm(data: Matrix, **changes: Any) -> LGBMClassifier:  # noqa: ANN401 - any parameter
    return LGBMClassifier(n_estimators=20, verbose=-1, n_jobs=1, **changes).fit(
        data.astype(np.float64), LABELS
    )


def _predict(classifier: LGBMClassifier, rows: Matrix) -> NDArray[np.float64]:
    return np.asarray(classifier.predict(rows.astype(np.float64), raw_score=True), np.float64)


@pytest.mark.parametrize("met_nulls", [False, True])
def test_lightgbm_is_drawn_with_nulls_that_it_met_or_never_met(*, met_nulls: bool) -> None:
    seen = _add_nulls(DATA) if met_nulls else DATA
    classifier = _fit_lightgbm(seen)
    rows = _add_nulls(DATA)
    native = apply_calibration(AS_IT_IS, _predict(classifier, rows))
    np.testing.assert_allclose(
        _make_session(read_lightgbm(classifier)).score(rows), native, rtol=0, atol=1e-6
    )


def test_rows_at_and_beside_thresholds_take_lightgbms_branch() -> None:
    trees = read_lightgbm(_fit_lightgbm(DATA))
    classifier = _fit_lightgbm(DATA)
    thresholds = np.concatenate([tree.thresholds[tree.left >= 0] for tree in trees]).astype(np.float32)
    beside = [np.nextafter(thresholds, np.float32(side)) for side in (-np.inf, np.inf)]
    rows = np.column_stack([np.concatenate([thresholds, *beside])] * 3)
    native = apply_calibration(AS_IT_IS, _predict(classifier, rows))
    np.testing.assert_allclose(_make_session(trees).score(rows), native, rtol=0, atol=1e-6)


def test_histogram_boosting_is_drawn() -> None:
    classifier = HistGradientBoostingClassifier(max_iter=20).fit(_add_nulls(DATA), LABELS)
    start = float(classifier._baseline_prediction[0, 0])  # noqa: SLF001 - published nowhere else
    rows = _add_nulls(DATA)
    native = apply_calibration(AS_IT_IS, classifier.decision_function(rows))
    session = _make_session(read_histogram_boosting(classifier), start)
    np.testing.assert_allclose(session.score(rows), native, rtol=0, atol=1e-6)


def test_splits_by_category_are_refused() -> None:
    codes = np.column_stack([RANDOM.integers(0, 9, 2_000), DATA[:, 1:]]).astype(np.float64)
    labels = np.isin(codes[:, 0], [1, 4, 7]).astype(np.int8)
    lightgbm = LGBMClassifier(n_estimators=3, verbose=-1).fit(codes, labels, categorical_feature=[0])
    with pytest.raises(TrainingRefused, match="by category"):
        read_lightgbm(lightgbm)
    boosting = HistGradientBoostingClassifier(max_iter=3, categorical_features=[0]).fit(codes, labels)
    with pytest.raises(TrainingRefused, match="by category"):
        read_histogram_boosting(boosting)
