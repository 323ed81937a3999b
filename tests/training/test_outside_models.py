"""Models that others fitted, from scikit-learn to a bare graph, as packages."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pandas as pd
import pytest
from lightgbm import LGBMClassifier
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import to_onnx
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from xgboost import XGBClassifier

from flagrank.scoring.columns import ColumnEncoder
from flagrank.scoring.package import read_package
from flagrank.scoring.session import ModelSession
from flagrank.training import package
from flagrank.triage.errors import TrainingRefused
from flagrank.triage.feature_schema import Feature, FeatureSchema

SCHEMA = FeatureSchema(
    (
        Feature("kind", "category", values=("a", "b", "c"), open=True),
        Feature("seconds", "integer", range=(0, 400_000_000)),
        Feature("rate", "number", range=(-9, 9), nullable=True),
        Feature("is_new", "boolean"),
    )
)
NUMBERS = ["seconds", "rate", "is_new"]


def _make_frame(rows: int = 3_000) -> pd.DataFrame:
    random = np.random.default_rng(8)
    frame = pd.DataFrame(
        {
            "kind": random.choice(["a", "b", "c"], rows),
            "seconds": random.integers(0, 400_000_000, rows),
            "rate": random.normal(size=rows).clip(-9, 9),
            "is_new": random.random(rows) < 0.5,
        }
    )
    log_odds = 2 * np.sin(frame["seconds"] / 3e7) + frame["rate"] * (frame["kind"] == "b") + frame["is_new"]
    frame["actionable"] = random.random(rows) < 1 / (1 + np.exp(-log_odds))
    frame.loc[random.random(rows) < 0.1, "rate"] = np.nan
    return frame


FRAME = _make_frame()
SEEN, UNSEEN = FRAME[:2_000], FRAME[2_000:]


def _prepare(*, fill: bool) -> ColumnTransformer:
    numbers = make_pipeline(SimpleImputer(), StandardScaler()) if fill else StandardScaler()
    words = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return ColumnTransformer([("words", words, ["kind"]), ("numbers", numbers, NUMBERS)])


def _fit(classifier: Any, *, fill: bool = False) -> Pipeline:  # noqa: ANN401 - any
    return make_pipeline(_prepare(fill=fill), classifier).fit(
        SEEN.drop(columns="actionable"), SEEN["actionable"]
    )


def _score(directory: Path, frame: pd.DataFrame) -> np.ndarray:
    columns = {
        name: frame[name].astype(object).where(frame[name].notna(), None).tolist() for name in SCHEMA.names
    }
    made = read_package(directory)
    return ModelSession(made.model, SCHEMA.names).score(ColumnEncoder(SCHEMA).encode_columns(columns))


def _round(frame: pd.DataFrame) -> pd.DataFrame:
    """The same values as float32 has them."""
    return frame.assign(**{name: frame[name].astype("float32").astype(float) for name in ("seconds", "rate")})


@pytest.mark.parametrize(
    ("classifier", "fill"),
    [
        (XGBClassifier(n_estimators=40, max_depth=4, n_jobs=1), False),
        (LGBMClassifier(n_estimators=40, verbose=-1, n_jobs=1), False),
        (HistGradientBoostingClassifier(max_iter=30), False),
        (RandomForestClassifier(20, min_samples_leaf=5, random_state=0), True),
        (ExtraTreesClassifier(20, min_samples_leaf=5, random_state=0), True),
        (LogisticRegression(), True),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_pipeline_on_data_frames_becomes_a_package_that_scores_alike(
    tmp_path: Path,
    classifier: Any,  # noqa: ANN401 - any
    *,
    fill: bool,
) -> None:
    pipeline = _fit(classifier, fill=fill)
    package(pipeline, SCHEMA, UNSEEN, tmp_path / "m", calibrate=False)
    native = pipeline.predict_proba(_round(UNSEEN).drop(columns="actionable"))[:, 1]
    np.testing.assert_allclose(_score(tmp_path / "m", UNSEEN), native, rtol=0, atol=1e-5)
    assert type(classifier).__name__ in read_package(tmp_path / "m").manifest.architecture


def test_early_stopping_is_kept(tmp_path: Path) -> None:
    words = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    front = ColumnTransformer([("words", words, ["kind"])], remainder="passthrough").fit(
        SEEN[list(SCHEMA.names)]
    )
    ready = [front.transform(part[list(SCHEMA.names)]) for part in (SEEN, UNSEEN)]
    classifier = XGBClassifier(n_estimators=300, learning_rate=0.5, early_stopping_rounds=3, n_jobs=1)
    classifier.fit(ready[0], SEEN["actionable"], eval_set=[(ready[1], UNSEEN["actionable"])], verbose=False)
    assert classifier.best_iteration < 290
    pipeline = Pipeline([("front", front), ("trees", classifier)])
    package(pipeline, SCHEMA, UNSEEN, tmp_path / "m", calibrate=False)
    native = pipeline.predict_proba(UNSEEN[list(SCHEMA.names)])[:, 1]
    np.testing.assert_allclose(_score(tmp_path / "m", UNSEEN), native, rtol=0, atol=1e-5)


def test_an_overconfident_model_is_calibrated_on_rows_it_has_not_seen(tmp_path: Path) -> None:
    pipeline = _fit(XGBClassifier(n_estimators=600, max_depth=8, learning_rate=0.3, n_jobs=1))
    outcomes = [
        package(pipeline, SCHEMA, UNSEEN, tmp_path / "m", calibrate=calibrate) for calibrate in (False, True)
    ]
    errors = [outcome.metrics.calibration_error.value or 0 for outcome in outcomes]
    assert errors[1] < errors[0] / 2
    made = read_package(tmp_path / "m")
    assert len(made.held_out.labels) == made.manifest.training.rows == len(UNSEEN)
    assert made.manifest.metrics["calibration_error"]["value"] == errors[1]
    report = (tmp_path / "m" / "report.html").read_text()
    assert "its owner gave these rows as ones that it has not seen" in report


def test_a_feature_whose_rounding_moves_a_score_is_named_in_the_report(tmp_path: Path) -> None:
    seconds = np.tile(np.array([16_777_216, 16_777_217]), 500)
    frame = pd.DataFrame({"seconds": seconds, "actionable": seconds % 2 == 1})
    frame.loc[::7, "actionable"] = ~frame.loc[::7, "actionable"]
    schema = FeatureSchema((SCHEMA.feature[1], Feature("rate", "number")))
    frame["rate"] = np.float32(np.random.default_rng(0).random(1_000))
    model = LGBMClassifier(n_estimators=5, verbose=-1).fit(frame[["seconds", "rate"]], frame["actionable"])
    outcome = package(model, schema, frame, tmp_path / "m")
    (told,) = (one for one in outcome.warnings if "float32" in one)
    assert told.startswith("seconds loses digits in float32, as 16777217 becomes 16777216: 500 scores differ")
    assert "seconds loses digits in float32" in (tmp_path / "m" / "report.html").read_text()


def test_a_sparse_front_is_refused_with_what_to_do(tmp_path: Path) -> None:
    front = ColumnTransformer(
        [("words", OneHotEncoder(), ["kind"])], remainder="passthrough", sparse_threshold=1
    )
    pipeline = make_pipeline(front, XGBClassifier(n_estimators=5))
    pipeline.fit(SEEN[list(SCHEMA.names)].astype({"is_new": float}), SEEN["actionable"])
    with pytest.raises(TrainingRefused, match="sparse_output=False"):
        package(pipeline, SCHEMA, UNSEEN, tmp_path / "m")


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (object(), "A object is no model that can be packaged"),
        ("model.pkl", "can run any code of who made it, and is not opened"),
        ("model.txt", "is no .onnx or .keras file"),
        ("missing.onnx", "can't be loaded"),
    ],
    ids=["object", "pickle", "text", "missing"],
)
def test_what_is_no_model_is_refused(tmp_path: Path, model: object, told: str) -> None:
    with pytest.raises(TrainingRefused, match=told):
        package(model, SCHEMA, UNSEEN, tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


def test_columns_that_the_schema_lacks_and_other_numbers_of_classes_are_refused(tmp_path: Path) -> None:
    other = FeatureSchema(SCHEMA.feature[:3])
    with pytest.raises(TrainingRefused, match='takes "is_new", which the schema lacks'):
        package(_fit(XGBClassifier(n_estimators=3)), other, UNSEEN, tmp_path / "m")
    three = LogisticRegression().fit(UNSEEN[["seconds"]], np.arange(1_000) % 3)
    with pytest.raises(TrainingRefused, match="tells 3 classes apart"):
        package(three, SCHEMA, UNSEEN, tmp_path / "m")


def _export(pipeline: Pipeline) -> bytes:
    """As its owner would: each column an input by its name, in the type it has."""
    kinds = [StringTensorType([None, 1]), *[DoubleTensorType([None, 1])] * 3]
    model: onnx.ModelProto = to_onnx(
        pipeline,
        initial_types=list(zip(SCHEMA.names, kinds, strict=True)),
        options={"zipmap": False},
        target_opset={"": 15, "ai.onnx.ml": 3},
    )
    content: bytes = model.SerializeToString()
    return content


def test_a_bare_graph_with_inputs_by_name_becomes_a_package(tmp_path: Path) -> None:
    pipeline = _fit(ExtraTreesClassifier(20, min_samples_leaf=5, random_state=0), fill=False)
    (tmp_path / "bare.onnx").write_bytes(_export(pipeline))
    package(tmp_path / "bare.onnx", SCHEMA, UNSEEN, tmp_path / "m", calibrate=False)
    bare = ort.InferenceSession(tmp_path / "bare.onnx", providers=["CPUExecutionProvider"])
    assert {one.name for one in bare.get_inputs()} == set(SCHEMA.names)
    rounded = _round(UNSEEN).astype({"kind": object, "is_new": float})
    native = bare.run(["probabilities"], {name: rounded[[name]].to_numpy() for name in SCHEMA.names})[0][:, 1]
    np.testing.assert_allclose(_score(tmp_path / "m", UNSEEN), native, rtol=0, atol=1e-5)
    assert read_package(tmp_path / "m").manifest.architecture == "onnx"


def test_a_bare_graph_of_one_matrix_becomes_a_package(tmp_path: Path) -> None:
    coded = UNSEEN.assign(kind=UNSEEN["kind"].map({"a": 0, "b": 1, "c": 2}), rate=UNSEEN["rate"].fillna(0))
    schema = FeatureSchema(
        (SCHEMA.feature[0], SCHEMA.feature[1], Feature("rate", "number"), SCHEMA.feature[3])
    )
    model = LogisticRegression().fit(
        coded[list(schema.names)].to_numpy() / [1, 1e8, 1, 1], coded["actionable"]
    )
    weights = (model.coef_ / [1, 1e8, 1, 1]).T.astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["sum"]),
            helper.make_node("Add", ["sum", "b"], ["log_odds"]),
            helper.make_node("Sigmoid", ["log_odds"], ["probability"]),
        ],
        "bare",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 4])],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, [None, 1])],
        [
            numpy_helper.from_array(weights, "w"),
            numpy_helper.from_array(model.intercept_.astype(np.float32), "b"),
        ],
    )
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), tmp_path / "bare.onnx")
    package(tmp_path / "bare.onnx", schema, coded, tmp_path / "m", calibrate=False)
    native = model.predict_proba(coded[list(schema.names)].to_numpy() / [1, 1e8, 1, 1])[:, 1]
    matrix = coded[list(schema.names)].to_numpy(np.float32)
    scores = ModelSession(read_package(tmp_path / "m").model, schema.names).score(matrix)
    np.testing.assert_allclose(scores, native, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("output", "told"),
    [("label", "which of them is the probability"), ("big", "no probability of one class")],
)
def test_a_bare_graph_without_a_probability_is_refused(tmp_path: Path, output: str, told: str) -> None:
    kind = TensorProto.INT64 if output == "label" else TensorProto.FLOAT
    nodes = [
        helper.make_node("ReduceSum", ["x", "axis"], ["sum"], keepdims=0),
        helper.make_node("Cast", ["sum"], [output], to=kind),
    ]
    graph = helper.make_graph(
        nodes,
        "bare",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 2])],
        [helper.make_tensor_value_info(output, kind, [None])],
        [numpy_helper.from_array(np.array([1]), "axis")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    onnx.save(model, tmp_path / "bare.onnx")
    schema = FeatureSchema((SCHEMA.feature[1], SCHEMA.feature[3]))
    with pytest.raises(TrainingRefused, match=told):
        package(tmp_path / "bare.onnx", schema, UNSEEN, tmp_path / "m")


def test_old_opsets_are_refused_by_name(tmp_path: Path) -> None:
    model = to_onnx(
        LogisticRegression().fit(np.eye(4), [0, 1, 0, 1]),
        initial_types=[("x", FloatTensorType([None, 4]))],
        options={"zipmap": False},
        target_opset={"": 11, "ai.onnx.ml": 1},
    )
    onnx.save(model, tmp_path / "bare.onnx")
    with pytest.raises(TrainingRefused, match=r"opset \d+. Export it with 13 to 21"):
        package(tmp_path / "bare.onnx", SCHEMA, UNSEEN, tmp_path / "m")
