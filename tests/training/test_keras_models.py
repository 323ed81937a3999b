"""Keras models that others built, and the traps on their way into a graph."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flagrank.scoring.package import read_package
from flagrank.scoring.session import ModelSession
from flagrank.training import package
from flagrank.training.keras_library import load_keras
from flagrank.training.keras_model import open_keras_model
from flagrank.triage.errors import PackageRefused, TrainingRefused
from flagrank.triage.feature_schema import Feature, FeatureSchema

pytest.importorskip("tensorflow", reason="TensorFlow has no release for this Python")

SAVING = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras

SCHEMA = FeatureSchema(
    (
        Feature("kind", "category", values=("a", "b", "c")),
        Feature("length", "number", range=(0, 1_000)),
        Feature("rate", "number", range=(-5, 5)),
    )
)
RANDOM = np.random.default_rng(2)
CODES = RANDOM.integers(0, 3, 900)
DATA = {
    "kind": CODES.astype(float),
    "length": RANDOM.uniform(0, 1_000, 900),
    "rate": RANDOM.normal(size=900).clip(-5, 5),
}
DATA["actionable"] = (DATA["rate"] + CODES > 1).astype(float)
MATRIX = np.column_stack([DATA[name] for name in SCHEMA.names]).astype(np.float32)


def _scale(given: Any) -> Any:  # noqa: ANN401 - Keras has no types
    return given / np.array([1, 1_000, 1], np.float32)


def _build(between: Callable[[Any, Any], Any], last: str | None = "sigmoid") -> Any:  # noqa: ANN401
    """A model of one input; `between` is given Keras and the input, scaled, and makes the last layer's."""
    keras = load_keras()
    given = keras.Input((3,))
    ended = keras.layers.Dense(
        1, activation=last, kernel_initializer=keras.initializers.GlorotUniform(seed=1)
    )
    return keras.Model(given, ended(between(keras, given)))


def _dense(activation: str) -> Callable[[Any, Any], Any]:
    def between(keras: Any, given: Any) -> Any:  # noqa: ANN401 - Keras has no types
        start = keras.initializers.GlorotUniform(seed=2)
        hidden = keras.layers.Dense(13, activation=activation, kernel_initializer=start)
        return hidden(_scale(given))

    return between


def _normalise(keras: Any, given: Any) -> Any:  # noqa: ANN401 - Keras has no types
    layer = keras.layers.Normalization()
    layer.adapt(MATRIX)
    return layer(given)


def _take_logarithm(keras: Any, given: Any) -> Any:  # noqa: ANN401 - Keras has no types
    return keras.ops.log1p(keras.ops.abs(given)) / 7


def _embed(keras: Any, given: Any) -> Any:  # noqa: ANN401 - Keras has no types
    start = keras.initializers.RandomUniform(seed=3)
    word = keras.layers.Embedding(3, 4, embeddings_initializer=start)(keras.ops.cast(given[:, 0], "int32"))
    return keras.layers.Concatenate()([word, _scale(given)])


@pytest.mark.parametrize(
    "between",
    [_dense("relu"), _dense("softplus"), _dense("gelu"), _normalise, _take_logarithm, _embed],
    ids=["relu", "softplus", "gelu", "Normalization", "log1p", "embedding"],
)
def test_a_model_that_was_never_compiled_becomes_a_package(
    tmp_path: Path, between: Callable[[Any, Any], Any]
) -> None:
    model = _build(between)
    outcome = package(model, SCHEMA, DATA, tmp_path / "m", calibrate=False)
    made = read_package(tmp_path / "m")
    native = np.asarray(model(MATRIX))[:, 0]
    scores = ModelSession(made.model, SCHEMA.names).score(MATRIX)
    np.testing.assert_allclose(scores, native, rtol=0, atol=1e-5)
    assert outcome.model == made.identity
    assert made.manifest.architecture == "Keras Functional"


@pytest.mark.parametrize("trap", [_take_logarithm, _normalise], ids=["log1p", "Normalization"])
def test_the_gate_catches_what_keras_exports_wrongly(tmp_path: Path, trap: Callable[[Any, Any], Any]) -> None:
    model = _build(trap)
    model(MATRIX[:2])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.export(tmp_path / "trap.onnx", format="onnx", opset_version=15, verbose=False)
    with pytest.raises(TrainingRefused, match=r"can't be loaded|are no features"):
        package(tmp_path / "trap.onnx", SCHEMA, DATA, tmp_path / "m")
    with pytest.raises(PackageRefused, match=r"can't be loaded|has the inputs"):
        ModelSession((tmp_path / "trap.onnx").read_bytes(), SCHEMA.names)
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize(("last", "off"), [("sigmoid", True), (None, True), ("softmax", False)])
def test_log_odds_are_taken_before_the_last_sigmoid(last: str | None, off: bool) -> None:  # noqa: FBT001
    model = _build(_dense("relu"), last)
    assert open_keras_model(model, SCHEMA, frozenset()).gives_log_odds == off


def test_a_sure_model_keeps_apart_what_its_own_sigmoid_ties(tmp_path: Path) -> None:
    model = _build(lambda _, given: _scale(given) * 4)
    model.layers[-1].set_weights([np.full((3, 1), 1.0, np.float32), np.zeros(1, np.float32)])
    package(model, SCHEMA, DATA, tmp_path / "m", calibrate=False)
    rows = np.array([[2, 1_000, 2], [2, 1_000, 3]], np.float32)
    assert np.asarray(model(rows))[:, 0].tolist() == [1, 1]
    scores = ModelSession(read_package(tmp_path / "m").model, SCHEMA.names).score(rows)
    assert scores[0] < scores[1] < 1


@pytest.mark.parametrize("form", ["list", "dict"])
def test_inputs_named_as_features_are_found(tmp_path: Path, form: str) -> None:
    keras = load_keras()
    given = {name: keras.Input((1,), name=name) for name in reversed(SCHEMA.names)}
    joined = keras.layers.Concatenate()([given[name] for name in SCHEMA.names])
    signal = keras.layers.Dense(1, activation="sigmoid")(_scale(joined))
    model = keras.Model(given if form == "dict" else list(given.values()), signal)
    package(model, SCHEMA, DATA, tmp_path / "m", calibrate=False)
    columns = {name: MATRIX[:, [position]] for position, name in enumerate(SCHEMA.names)}
    native = model(columns if form == "dict" else [columns[name] for name in given])
    scores = ModelSession(read_package(tmp_path / "m").model, SCHEMA.names).score(MATRIX)
    np.testing.assert_allclose(scores, np.asarray(native)[:, 0], rtol=0, atol=1e-5)


@SAVING
def test_a_file_is_opened_with_a_warning_of_what_such_a_file_can_do(tmp_path: Path) -> None:
    model = _build(_dense("relu"))
    model.save(tmp_path / "model.keras")
    with pytest.warns(UserWarning, match="can run the code of who made it"):
        package(tmp_path / "model.keras", SCHEMA, DATA, tmp_path / "m")
    assert {path.suffix for path in (tmp_path / "m").iterdir()} == {".json", ".onnx", ".html"}


@SAVING
def test_a_file_with_code_in_it_is_refused_by_safe_mode(tmp_path: Path) -> None:
    keras = load_keras()
    given = keras.Input((3,))
    model = keras.Model(given, keras.layers.Dense(1)(keras.layers.Lambda(lambda x: x + 1)(given)))
    model.save(tmp_path / "model.keras")
    with (
        pytest.warns(UserWarning, match="can run the code"),
        pytest.raises(TrainingRefused, match=r"can't be loaded.*[Ll]ambda"),
    ):
        package(tmp_path / "model.keras", SCHEMA, DATA, tmp_path / "m")


def test_a_model_that_gives_no_number_for_a_null_says_so(tmp_path: Path) -> None:
    nullable = FeatureSchema((*SCHEMA.feature[:2], Feature("rate", "number", nullable=True)))
    data = DATA | {"rate": [None, *DATA["rate"][1:]]}
    with pytest.raises(TrainingRefused, match="gives no number for row 0"):
        package(_build(_dense("relu")), nullable, data, tmp_path / "m")
