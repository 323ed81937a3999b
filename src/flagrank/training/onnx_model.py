"""A bare .onnx file as an outside model: its own session is the native model that the package is held to."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto

from flagrank.training.column_feed import Input, match_inputs, wrap
from flagrank.training.odds import to_margins
from flagrank.training.outside_data import Columns
from flagrank.triage.errors import TrainingRefused, shorten
from flagrank.triage.feature_schema import FeatureSchema, show

FIRST_OPSET = 13  # operators take axes and splits as inputs from here on, as ours do
_CHUNK_ROWS = 4_096
_OUTPUTS = ("score", "probabilities", "probability")
_TYPES = {
    "tensor(float)": TensorProto.FLOAT,
    "tensor(double)": TensorProto.DOUBLE,
    "tensor(int32)": TensorProto.INT32,
    "tensor(int64)": TensorProto.INT64,
    "tensor(bool)": TensorProto.BOOL,
    "tensor(string)": TensorProto.STRING,
}


class OnnxModel(msgspec.Struct, frozen=True):
    """A graph with probabilities among its outputs."""

    model: ModelProto
    session: Any
    inputs: list[Input]
    output: str
    schema: FeatureSchema
    architecture: str = "onnx"
    libraries: tuple[str, ...] = ()

    def predict_margins(self, columns: Columns) -> NDArray[np.float64]:
        """The log-odds of what the graph itself gives."""
        return to_margins(self._predict(columns))

    def draw(self, sample: Columns) -> ModelProto:
        """The graph with our input in front and its log-odds behind."""
        width = self._predict(sample).shape[1]
        return wrap(self.model, self.inputs, self.output, self.schema, columns=width)

    def _predict(self, columns: Columns) -> NDArray[np.floating]:
        feeds = {one.name: one.feed(columns) for one in self.inputs}
        rows = len(next(iter(columns.values())))
        found: NDArray[np.floating] = np.concatenate(
            [
                self.session.run(
                    [self.output], {name: fed[at : at + _CHUNK_ROWS] for name, fed in feeds.items()}
                )[0]
                for at in range(0, rows, _CHUNK_ROWS)
            ]
        ).reshape(rows, -1)
        if found.shape[1] not in {1, 2} or not ((found >= 0) & (found <= 1)).all():
            raise TrainingRefused(
                f"The output {show(self.output)} of the .onnx file is no probability of one class or of two. "
                "Export one that is, and name it score."
            )
        return found


def open_onnx_model(path: Path, schema: FeatureSchema, words: frozenset[str]) -> OnnxModel:
    """Load a graph from a file's bytes, on one thread.

    Raises `TrainingRefused` where ONNX Runtime can't load it, or its inputs and outputs fit no schema.
    """
    try:
        content = path.read_bytes()
        model = onnx.load_from_string(content)
        session = open_session(content)
    except Exception as error:  # of protobuf and of a C module, one for each status
        raise TrainingRefused(
            f"{path} can't be loaded: {shorten(error)}. Export it again, as one file."
        ) from error
    if any(one.domain == "" and one.version < FIRST_OPSET for one in model.opset_import):
        raise TrainingRefused(
            f"{path} is written in opset {model.opset_import[0].version}. Export it with 13 to 21."
        )
    found = [(one.name, _TYPES.get(one.type, 0), len(one.shape)) for one in session.get_inputs()]
    inputs = match_inputs(found, schema, words)
    return OnnxModel(model, session, inputs, _find_output(session.get_outputs(), path), schema)


def open_session(content: bytes) -> Any:  # noqa: ANN401 - ONNX Runtime has no types
    """A session on one thread."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _find_output(outputs: list[Any], path: Path) -> str:
    """The output of that name, or the only one of floats."""
    floats = [one.name for one in outputs if one.type in {"tensor(float)", "tensor(double)"}]
    for name in (*_OUTPUTS, *(floats if len(floats) == 1 else [])):
        if name in floats:
            return str(name)
    listed = ", ".join(f"{one.name} ({one.type})" for one in outputs)
    raise TrainingRefused(
        f"{path} has the outputs {shorten(listed)}; which of them is the probability can't be told. Name it "
        "score. (skl2onnx: give options={'zipmap': False}.)"
    )
