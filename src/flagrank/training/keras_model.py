"""A Keras model as an outside model, exported by Keras itself."""

import contextlib
import io
import logging
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper

from flagrank.training.column_feed import Input, match_inputs, wrap
from flagrank.training.conversion import OPSET
from flagrank.training.keras_library import load_keras
from flagrank.training.odds import to_margins
from flagrank.training.outside_data import Columns
from flagrank.triage.errors import TrainingRefused, shorten
from flagrank.triage.feature_schema import FeatureSchema

_CHUNK_ROWS = 8_192
_TYPES = {
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
    "int32": TensorProto.INT32,
    "int64": TensorProto.INT64,
    "bool": TensorProto.BOOL,
    "string": TensorProto.STRING,
}


class KerasModel(msgspec.Struct, frozen=True):
    """A model that gives log-odds, where its last activation could be taken off, or probabilities."""

    model: Any
    inputs: list[Input]
    gives_log_odds: bool
    schema: FeatureSchema
    architecture: str
    libraries: tuple[str, ...] = ("keras", "tensorflow", "tensorflow-cpu", "tf2onnx")

    def predict_margins(self, columns: Columns) -> NDArray[np.floating]:
        """The log-odds that Keras gives."""
        found = self._predict(columns)
        if self.gives_log_odds:
            return found[:, 0]
        if found.shape[1] not in {1, 2} or not ((found >= 0) & (found <= 1)).all():
            raise TrainingRefused(
                f"The Keras model gives {found.shape[1]} values a row that are no probability of one class "
                "or of two. End it with a Dense(1), its activation sigmoid or none."
            )
        return to_margins(found)

    def draw(self, sample: Columns) -> ModelProto:
        """The graph that Keras exports, with our input in front."""
        width = self._predict(sample).shape[1]  # Keras exports no model that was never called
        with tempfile.TemporaryDirectory() as folder, _quiet(), _constant_statistics(self.model):
            file = Path(folder) / "model.onnx"
            try:
                self.model.export(file, format="onnx", opset_version=OPSET, verbose=False)
            except Exception as error:  # of Keras, TensorFlow and tf2onnx, many kinds
                raise TrainingRefused(f"Keras can't export the model: {shorten(error)}.") from error
            exported = onnx.load(file)
        found = [
            (one.name, one.type.tensor_type.elem_type, len(one.type.tensor_type.shape.dim))
            for one in exported.graph.input
        ]
        inputs = match_inputs(found, self.schema, words=_find_words(self.inputs))
        _spell_unknown_operators(exported)
        output = exported.graph.output[0].name
        return wrap(exported, inputs, output, self.schema, columns=None if self.gives_log_odds else width)

    def _predict(self, columns: Columns) -> NDArray[np.floating]:
        feeds = {one.name: one.feed(columns) for one in self.inputs}
        rows = len(next(iter(columns.values())))
        chunks = [
            np.asarray(self._call({name: fed[at : at + _CHUNK_ROWS] for name, fed in feeds.items()}))
            for at in range(0, rows, _CHUNK_ROWS)
        ]
        found: NDArray[np.floating] = np.concatenate(chunks).reshape(rows, -1)
        return found

    def _call(self, fed: dict[str, NDArray[np.generic]]) -> Any:  # noqa: ANN401 - a tensor
        if len(fed) == 1:
            return self.model(next(iter(fed.values())), training=False)
        if isinstance(self.model.input, dict):
            by_name = {key: fed[tensor.name] for key, tensor in self.model.input.items()}
            return self.model(by_name, training=False)
        return self.model(list(fed.values()), training=False)


def open_keras_model(model: Any, schema: FeatureSchema, words: frozenset[str]) -> KerasModel:  # noqa: ANN401
    """Take a model as it is, compiled or not. Raises `TrainingRefused` where its inputs fit no schema."""
    keras = load_keras()
    tensors = getattr(model, "inputs", None)
    if tensors:
        found = [(one.name, _TYPES.get(one.dtype, 0), len(one.shape)) for one in tensors]
    else:  # a class of its owner's: it takes what it is called with
        found = [("features", TensorProto.FLOAT, 2)]
    inputs = match_inputs(found, schema, words)
    bare = _take_off_sigmoid(keras, model)
    name = f"Keras {type(model).__name__}"
    return KerasModel(model if bare is None else bare, inputs, bare is not None, schema, name)


def _take_off_sigmoid(keras: Any, model: Any) -> Any:  # noqa: ANN401 - Keras has no types
    """The model without its last sigmoid, which float32 can't undo; None where that is not its end."""
    if not getattr(model, "inputs", None) or not model.layers:
        return None
    last = model.layers[-1]
    if last.output is not model.outputs[0] or model.outputs[0].shape[1:] != (1,):
        return None
    activation = getattr(last, "activation", None)
    if activation is keras.activations.linear and isinstance(last, keras.layers.Dense):
        return model
    if activation is not keras.activations.sigmoid:
        return None
    if isinstance(last, keras.layers.Activation):
        return keras.Model(model.input, last.input)
    if type(last) is not keras.layers.Dense:
        return None
    dense = keras.layers.Dense(1, use_bias=last.use_bias)
    bare = keras.Model(model.input, dense(last.input))
    dense.set_weights(last.get_weights())
    return bare


def _find_words(inputs: list[Input]) -> frozenset[str]:
    return frozenset(name for one in inputs if one.type == TensorProto.STRING for name in one.columns)


def _spell_unknown_operators(model: ModelProto) -> None:
    """Spell out two that tf2onnx knows no operator for, and writes down under TensorFlow's name."""
    nodes = list(model.graph.node)
    model.graph.ClearField("node")
    one = helper.make_tensor("spelled_one", TensorProto.FLOAT, [], [1.0])
    model.graph.initializer.append(one)
    for node in nodes:
        within = f"{node.output[0]}_spelled"
        match node.op_type:
            case "Log1p":
                added = helper.make_node("Add", [node.input[0], one.name], [within])
                spelled = [added, helper.make_node("Log", [within], node.output)]
            case "Erfc":
                error = helper.make_node("Erf", node.input, [within])
                spelled = [error, helper.make_node("Sub", [one.name, within], node.output)]
            case _:
                spelled = [node]
        model.graph.node.extend(spelled)


@contextlib.contextmanager
def _constant_statistics(model: Any) -> Iterator[None]:  # noqa: ANN401 - Keras has no types
    """Hold what Normalization layers have learned as arrays: of tensors the exporter makes inputs."""
    keras = load_keras()
    every = model._flatten_layers()  # noqa: SLF001 - it finds those in layers of layers
    layers = [one for one in every if isinstance(one, keras.layers.Normalization)]
    learned = [(one, one.mean, one.variance) for one in layers]
    for one, mean, variance in learned:
        one.mean, one.variance = np.asarray(mean), np.asarray(variance)
    try:
        yield
    finally:
        for one, mean, variance in learned:
            one.mean, one.variance = mean, variance


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """What Keras, TensorFlow and tf2onnx tell while they export, kept from standard error."""
    loggers = [logging.getLogger(name) for name in ("tensorflow", "tf2onnx", "absl")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
