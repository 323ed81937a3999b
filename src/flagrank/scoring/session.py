"""One ONNX Runtime session: a float32 matrix in, calibrated scores out."""

import re
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from flagrank.scoring.columns import Matrix
from flagrank.triage.errors import PackageRefused, shorten

INPUT_NAME = "features"
OUTPUT_NAME = "score"
CHUNK_ROWS = 4_096  # bounds the memory of one call; a row's score does not depend on its chunk

Scores = NDArray[np.float64]

# What ONNX Runtime says before its message: its name and a code, a place in its source, a C++ signature.
_ORIGIN = re.compile(
    r"\[ONNXRuntimeError\] : \d+ : \w+ : |\S+\.(?:cc|h):\d+ (?:[^()]*\([^()]*(?:\([^()]*\)[^()]*)*\) )?"
)


class ModelSession:
    """Runs one graph on one thread: with two, up to 45 % of rows change in their last bits with the batch."""

    def __init__(self, model: bytes, feature_names: tuple[str, ...]) -> None:
        """Load a graph from bytes, so that no file beside it is found.

        Raises `PackageRefused` where ONNX Runtime refuses the graph, or its inputs and output are not ours.
        """
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        try:
            self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # classes of a C module, one for each status, and bare RuntimeError
            raise PackageRefused(
                f"model.onnx can't be loaded: {_explain(error)}. Export it again."
            ) from error
        self._names = feature_names
        self._takes_matrix = _check_inputs(self._session.get_inputs(), feature_names)
        _check_output(self._session.get_outputs())

    def score(self, matrix: Matrix) -> Scores:
        """P(actionable) of each row of an (n, f) float32 matrix, (n,) float64. Blocks for about 2 us a row.

        Raises `PackageRefused` where the graph fails on the rows, or gives what is no score.
        """
        if len(matrix) <= CHUNK_ROWS:
            return self._run(matrix)
        starts = range(0, len(matrix), CHUNK_ROWS)
        return np.concatenate([self._run(matrix[start : start + CHUNK_ROWS]) for start in starts])

    def _run(self, matrix: Matrix) -> Scores:
        if self._takes_matrix:
            feed = {INPUT_NAME: np.ascontiguousarray(matrix)}
        else:
            feed = {name: np.ascontiguousarray(matrix[:, [i]]) for i, name in enumerate(self._names)}
        try:
            output = self._session.run([OUTPUT_NAME], feed)[0]
        except Exception as error:  # as above
            raise PackageRefused(
                f"model.onnx fails on valid rows: {_explain(error)}. Export it again."
            ) from error
        rows = len(matrix)
        if output.shape not in {(rows,), (rows, 1)}:
            raise PackageRefused(
                f"model.onnx gives scores of shape {output.shape} for {rows} rows. Export one score a row."
            )
        scores: Scores = output.reshape(-1).astype(np.float64, copy=False)  # (n,)
        if not ((scores > 0) & (scores < 1)).all():  # NaN is neither
            raise PackageRefused("model.onnx gives a score outside (0, 1). Calibrate it inside the graph.")
        return scores


def _check_inputs(inputs: list[Any], feature_names: tuple[str, ...]) -> bool:
    """Whether the graph takes all columns as one matrix, rather than each by its feature's name."""
    names = [node.name for node in inputs]
    takes_matrix = names == [INPUT_NAME]
    if not takes_matrix and sorted(names) != sorted(feature_names):
        raise PackageRefused(
            f"model.onnx has the inputs {shorten(', '.join(sorted(names)))}; expected one named "
            f"{INPUT_NAME!r}, or one for each feature of the manifest. Export it with these."
        )
    width = len(feature_names) if takes_matrix else 1
    for node in inputs:
        if node.type != "tensor(float)" or not _fits(node.shape, width):
            raise PackageRefused(
                f"model.onnx takes {shorten(node.name)} as {node.type} of shape {shorten(node.shape)}; "
                f"expected float32 of any number of rows and {width} columns. Export it for these."
            )
    return takes_matrix


def _fits(shape: list[Any], width: int) -> bool:
    """Whether a declared shape takes (n, width) for any n; a size left open is a name or None."""
    return (
        len(shape) == 2
        and not isinstance(shape[0], int)
        and (not isinstance(shape[1], int) or shape[1] == width)
    )


def _check_output(outputs: list[Any]) -> None:
    types = [node.type for node in outputs if node.name == OUTPUT_NAME]
    if types not in (["tensor(double)"], ["tensor(float)"]):
        found = shorten(", ".join(f"{node.name} ({node.type})" for node in outputs))
        raise PackageRefused(
            f"model.onnx has the outputs {found}; expected {OUTPUT_NAME!r} as float32 or float64. "
            "Export it with this one."
        )


def _explain(error: Exception) -> str:
    return shorten(_ORIGIN.sub("", str(error)[:2_000]) or type(error).__name__)
