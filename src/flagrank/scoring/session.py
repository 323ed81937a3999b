"""One ONNX Runtime session: a float32 matrix in, calibrated scores out."""

from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from flagrank.scoring.columns import Matrix
from flagrank.triage.errors import PackageRefused

INPUT_NAME = "features"
OUTPUT_NAME = "score"
CHUNK_ROWS = 4_096  # bounds the memory of one call; a row's score does not depend on its chunk

Scores = NDArray[np.float64]


class ModelSession:
    """Runs one graph on one thread: with two, up to 45 % of rows change in their last bits with the batch (measured)."""

    def __init__(self, model: bytes, feature_names: tuple[str, ...]) -> None:
        """Load a graph from bytes, so that no file beside it can be reached.

        Raises `PackageRefused` where ONNX Runtime refuses the graph or its inputs and output are not ours.
        """
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        try:
            self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime raises classes of its C module, one a status, and bare RuntimeError
            raise PackageRefused(f"model.onnx can't be loaded: {_first_line(error)} Export the model again.") from error
        self._names = _check_inputs(self._session.get_inputs(), feature_names)
        _check_output(self._session.get_outputs())

    def score(self, matrix: Matrix) -> Scores:
        """P(actionable) of each row of an (n, f) float32 matrix, as (n,) float64. Blocks for about 2 us a row.

        Raises `PackageRefused` where the graph fails on the rows.
        """
        if len(matrix) <= CHUNK_ROWS:
            return self._run(matrix)
        chunks = [self._run(matrix[start : start + CHUNK_ROWS]) for start in range(0, len(matrix), CHUNK_ROWS)]
        return np.concatenate(chunks)

    def _run(self, matrix: Matrix) -> Scores:
        if self._names is None:
            feed = {INPUT_NAME: np.ascontiguousarray(matrix)}
        else:
            feed = {name: np.ascontiguousarray(matrix[:, [position]]) for position, name in enumerate(self._names)}
        try:
            output = self._session.run([OUTPUT_NAME], feed)[0]
        except Exception as error:  # as above
            raise PackageRefused(f"model.onnx fails on valid rows: {_first_line(error)} Export the model again.") from error
        scores = np.asarray(output, dtype=np.float64).reshape(-1)
        if len(scores) != len(matrix):
            raise PackageRefused(f"model.onnx gives {len(scores)} scores for {len(matrix)} rows; it must give one a row.")
        return scores


def _check_inputs(inputs: list[Any], feature_names: tuple[str, ...]) -> tuple[str, ...] | None:
    """Names to feed column by column, or None where the graph takes one matrix."""
    given = {node.name: node for node in inputs}
    wrong = [f"{name} ({node.type})" for name, node in given.items() if node.type != "tensor(float)"]
    if wrong:
        raise PackageRefused(f"model.onnx has inputs that are not float32: {', '.join(wrong)}. Cast inside the graph.")
    if list(given) == [INPUT_NAME]:
        width = given[INPUT_NAME].shape[-1]
        if width != len(feature_names):
            raise PackageRefused(f"model.onnx takes {width} columns, its manifest names {len(feature_names)} features.")
        return None if len(given[INPUT_NAME].shape) == 2 or feature_names != (INPUT_NAME,) else feature_names
    if sorted(given) != sorted(feature_names):
        raise PackageRefused(
            f"model.onnx has the inputs {', '.join(sorted(given))[:200]}; expected one named {INPUT_NAME!r}, or one for each "
            f"feature of the manifest: {', '.join(feature_names)[:200]}."
        )
    return feature_names


def _check_output(outputs: list[Any]) -> None:
    scores = [node for node in outputs if node.name == OUTPUT_NAME]
    if len(scores) != 1 or scores[0].type not in {"tensor(double)", "tensor(float)"}:
        found = ", ".join(f"{node.name} ({node.type})" for node in outputs)[:200]
        raise PackageRefused(f"model.onnx has the outputs {found}; expected {OUTPUT_NAME!r} as float32 or float64, one a row.")


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return (text if len(text) <= 200 else text[:197] + "...").rstrip(".") + "."
