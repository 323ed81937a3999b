"""The parity gate catches each silent conversion error that was measured on the versions in use."""

import json
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, helper
from onnxmltools import convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType
from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost as xgboost_operator
from skl2onnx import to_onnx, update_registered_converter
from skl2onnx.common.data_types import FloatTensorType as SklearnFloatTensorType
from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from xgboost import XGBClassifier, XGBRegressor

from flagrank.scoring.columns import Matrix
from flagrank.scoring.session import INPUT_NAME, OUTPUT_NAME, ModelSession
from flagrank.training.calibration import Calibration, apply_calibration
from flagrank.training.conversion import OPSET, close_graph
from flagrank.training.parity import PROBE_ROWS, check_parity, make_probe_rows
from flagrank.training.tree_graph import draw_trees, find_thresholds
from flagrank.training.trees import Trees
from flagrank.triage.errors import PackageRefused, TrainingRefused
from flagrank.triage.feature_schema import Feature, FeatureSchema

SCHEMA = FeatureSchema(
    (
        Feature("kind", "category", values=("a", "b", "c"), open=True, nullable=True),
        Feature("seconds", "integer", range=(0, 400_000_000)),
        Feature("rate", "number", range=(-5, 5), nullable=True),
        Feature("is_new", "boolean"),
    )
)
CALIBRATION = Calibration(0.9, -0.2)


def _make_data(rows: int = 4_000) -> tuple[Matrix, NDArray[np.int8]]:
    random = np.random.default_rng(8)
    kind = random.integers(-1, 3, rows).astype(float)
    seconds = random.integers(0, 400_000_000, rows).astype(float)
    rate = random.normal(size=rows).clip(-5, 5)
    is_new = random.integers(0, 2, rows).astype(float)
    log_odds = 2 * np.sin(seconds / 3e7) + rate * (kind - 1) + is_new - 1
    labels = (random.random(rows) < 1 / (1 + np.exp(-log_odds))).astype(np.int8)
    rate[random.random(rows) < 0.1] = np.nan
    kind[random.random(rows) < 0.1] = np.nan
    return np.column_stack([kind, seconds, rate, is_new]).astype(np.float32), labels


DATA, LABELS = _make_data()


def _fit(trees: int = 30, **parameters: float | str | bool) -> XGBClassifier:
    return XGBClassifier(n_estimators=trees, max_depth=4, n_jobs=1, **parameters).fit(DATA, LABELS)


def _probe(thresholds: dict[int, Matrix] | None = None) -> Matrix:
    return make_probe_rows(SCHEMA, DATA, thresholds or {}, seed=1)


def _as_session(model: ModelProto, probability: str = "probabilities") -> ModelSession:
    """What a careless exporter would ship: the converter's second column of probabilities as the score."""
    graph = model.graph
    graph.initializer.append(helper.make_tensor("second", 7, [], [1]))
    graph.node.append(helper.make_node("Gather", [probability, "second"], [OUTPUT_NAME], axis=1))
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info(OUTPUT_NAME, 1, [None]))
    return ModelSession(model.SerializeToString(), SCHEMA.names)


def _convert(classifier: object) -> ModelProto:
    inputs = [(INPUT_NAME, FloatTensorType([None, 4]))]
    model: ModelProto = convert_xgboost(classifier, initial_types=inputs, target_opset=OPSET)
    return model


def _calibrated(classifier: XGBClassifier) -> Callable[[Matrix], NDArray[np.float64]]:
    return lambda rows: apply_calibration(CALIBRATION, Trees(classifier).predict_margins(rows))


def _probability(classifier: XGBClassifier) -> Callable[[Matrix], NDArray[np.float64]]:
    return lambda rows: classifier.predict_proba(rows)[:, 1].astype(np.float64)


def test_our_own_conversion_passes_on_rows_at_and_beside_every_threshold() -> None:
    classifier = _fit()
    session = ModelSession(close_graph(draw_trees(classifier), CALIBRATION), SCHEMA.names)
    rows = _probe(find_thresholds(classifier))
    difference = check_parity(_calibrated(classifier), session, rows)
    assert 0 <= difference <= 1e-5
    assert len(rows) == PROBE_ROWS


def test_probe_rows_hold_nulls_unknown_categories_edges_thresholds_and_integers_beyond_float32() -> None:
    thresholds = find_thresholds(_fit())
    rows = _probe(thresholds)
    assert np.isnan(rows).any(axis=0).all()
    assert (rows[:, 0] == -1).any()
    seconds = set(rows[:, 1].tolist())
    assert {0.0, 4e8, float(np.float32(16_777_217))} <= seconds
    for threshold in thresholds[1]:
        beside = [np.nextafter(threshold, np.float32(side)) for side in (-np.inf, np.inf)]
        assert {float(threshold), *map(float, beside)} <= seconds


def test_probes_for_a_model_of_others_hold_no_null_and_no_unknown_word_that_a_report_may_not_have() -> None:
    closed = Feature("kind", "category", values=("a", "b", "c"))
    schema = FeatureSchema((closed, *SCHEMA.feature[1:]))
    data = np.nan_to_num(DATA).clip(0)
    rows = make_probe_rows(schema, data, {}, seed=1, only_allowed=True)
    assert set(np.unique(rows[:, 0])) == {0, 1, 2}
    assert np.isnan(rows).any(axis=0).tolist() == [False, False, True, False]
    assert float(np.float32(16_777_217)) in set(rows[:, 1].tolist())


def test_a_graph_without_a_tree_is_refused() -> None:
    classifier = _fit()
    fewer = ModelSession(close_graph(draw_trees(_fit(trees=29)), CALIBRATION), SCHEMA.names)
    with pytest.raises(TrainingRefused, match=r"rows differ .* No package was written"):
        check_parity(_calibrated(classifier), fewer, _probe())


def test_a_score_that_is_no_number_is_refused() -> None:
    session = ModelSession(close_graph(draw_trees(_fit()), CALIBRATION), SCHEMA.names)
    with pytest.raises(TrainingRefused):
        check_parity(lambda rows: np.full(len(rows), np.nan), session, _probe())


def test_the_gate_catches_a_raw_booster_that_forgets_the_best_iteration() -> None:
    classifier = XGBClassifier(n_estimators=300, learning_rate=0.5, early_stopping_rounds=3, n_jobs=1)
    classifier.fit(DATA[:3000], LABELS[:3000], eval_set=[(DATA[3000:], LABELS[3000:])], verbose=False)
    session = _as_session(_convert(classifier.get_booster()))
    with pytest.raises(TrainingRefused, match="rows differ"):
        check_parity(_probability(classifier), session, _probe())


def test_the_gate_catches_another_value_for_missing() -> None:
    classifier = _fit(missing=0.0)
    native = _probability(classifier)
    scores = native(_probe())
    classifier.missing = np.nan  # a way around the converter's refusal
    with pytest.raises(TrainingRefused, match="rows differ"):
        check_parity(lambda _: scores, _as_session(_convert(classifier)), _probe())


def test_the_gate_catches_dart() -> None:
    classifier = _fit(booster="dart", rate_drop=0.3)
    native = _probability(classifier)
    model = json.loads(classifier.get_booster().save_raw("json"))
    booster = model["learner"]["gradient_booster"]
    booster.update(booster.pop("gbtree") | {"name": "gbtree"})  # the converter reads no dart
    trees = XGBClassifier()
    trees.load_model(bytearray(json.dumps(model).encode()))
    with pytest.raises(TrainingRefused, match="rows differ"):
        check_parity(native, _as_session(_convert(trees)), _probe())


def test_the_gate_catches_a_regressor() -> None:
    regressor = XGBRegressor(n_estimators=30, objective="binary:logistic", n_jobs=1).fit(DATA, LABELS)
    model = _convert(regressor)
    model.graph.node.append(helper.make_node("Reshape", ["variable", "flat"], [OUTPUT_NAME]))
    model.graph.initializer.append(helper.make_tensor("flat", 7, [1], [-1]))
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info(OUTPUT_NAME, 1, [None]))
    session = ModelSession(model.SerializeToString(), SCHEMA.names)
    with pytest.raises(PackageRefused, match="outside"):
        check_parity(lambda rows: regressor.predict(rows).astype(np.float64), session, _probe())


@pytest.fixture
def _registered() -> None:
    update_registered_converter(
        XGBClassifier,
        "XGBoostXGBClassifier",
        calculate_linear_classifier_output_shapes,
        xgboost_operator,
        options={"nocl": [True, False], "zipmap": [True, False, "columns"]},
    )


@pytest.mark.usefixtures("_registered")
def test_the_gate_catches_a_scaler_that_works_in_float32() -> None:
    pipeline = make_pipeline(StandardScaler(), XGBClassifier(n_estimators=30, n_jobs=1))
    pipeline.fit(DATA.astype(np.float64), LABELS)
    thresholds = find_thresholds(pipeline[-1])
    scaler = pipeline[0]
    raw = {
        column: (values.astype(np.float64) * scaler.scale_[column] + scaler.mean_[column]).astype(np.float32)
        for column, values in thresholds.items()
    }
    model = to_onnx(
        pipeline,
        initial_types=[(INPUT_NAME, SklearnFloatTensorType([None, 4]))],
        target_opset={"": OPSET, "ai.onnx.ml": 3},
        options={"zipmap": False},
    )
    native = lambda rows: pipeline.predict_proba(rows.astype(np.float64))[:, 1].astype(np.float64)  # noqa: E731
    with pytest.raises(TrainingRefused, match="rows differ"):
        check_parity(native, _as_session(model), _probe(raw))


@pytest.mark.usefixtures("_registered")
def test_the_gate_catches_a_sparse_encoder_whose_zeros_become_missing() -> None:
    pipeline = make_pipeline(
        OneHotEncoder(handle_unknown="ignore", sparse_output=True), XGBClassifier(n_estimators=30, n_jobs=1)
    )
    rounded = np.round(np.nan_to_num(DATA)).clip(-1, 3)
    pipeline.fit(rounded, LABELS)
    model = to_onnx(
        pipeline,
        initial_types=[(INPUT_NAME, SklearnFloatTensorType([None, 4]))],
        target_opset={"": OPSET, "ai.onnx.ml": 3},
        options={"zipmap": False},
    )
    rows = np.tile(rounded, (25, 1))
    with pytest.raises(TrainingRefused, match="rows differ"):
        check_parity(_probability(pipeline), _as_session(model), rows)


def test_boosters_that_are_converted_wrongly_are_refused_before_the_gate() -> None:
    with pytest.raises(TrainingRefused, match="dart"):
        draw_trees(_fit(booster="dart"))
    with pytest.raises(TrainingRefused, match="missing"):
        draw_trees(_fit(missing=0.0))
    regressor = XGBRegressor(n_estimators=3, n_jobs=1).fit(DATA, LABELS)
    with pytest.raises(TrainingRefused, match="XGBRegressor"):
        draw_trees(regressor)
