"""A package whose graph, at a report of a million characters, loops for minutes."""

from pathlib import Path

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

from flagrank.scoring.session import INPUT_NAME, OUTPUT_NAME
from tests.packages import make_graph, read_default_schema, write_small_package

SLOW = {"report_text_len": 1_000_000}  # of a report
_COLUMN = "report_text_len"
_CONSTANTS = {
    "slow_column": np.array(read_default_schema().names.index(_COLUMN)),
    "short": np.array(900_000, np.float32),
    "rounds": np.array(1_000, np.float32),
    "none": np.array(0, np.float32),
    "true": np.array(1, np.bool_),
}


def write_slow_package(folder: Path) -> None:
    """The small package, but for the loop; its result is 0, whatever it took."""
    write_small_package(folder, changed={"model.onnx": _make_slow_graph()})


def _make_slow_graph() -> bytes:
    model = ModelProto()
    model.ParseFromString(make_graph(len(read_default_schema().names)))
    node, value_info = helper.make_node, helper.make_tensor_value_info
    body = helper.make_graph(
        [node("Identity", ["go_on"], ["goes_on"]), node("Abs", ["carried"], ["passed"])],
        "body",
        [
            value_info("step", TensorProto.INT64, []),
            value_info("go_on", TensorProto.BOOL, []),
            value_info("carried", TensorProto.FLOAT, []),
        ],
        [value_info("goes_on", TensorProto.BOOL, []), value_info("passed", TensorProto.FLOAT, [])],
    )
    last = model.graph.node[-1]
    assert list(last.output) == [OUTPUT_NAME]
    last.output[0] = "quick"
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in _CONSTANTS.items())
    model.graph.node.extend(
        [
            node("Gather", [INPUT_NAME, "slow_column"], ["lengths"], axis=1),
            node("Sub", ["lengths", "short"], ["above"]),
            node("Mul", ["above", "rounds"], ["many"]),
            node("ReduceMax", ["many"], ["most"], keepdims=0),
            node("Max", ["most", "none"], ["turns"]),
            node("Cast", ["turns"], ["trips"], to=TensorProto.INT64),
            node("Loop", ["trips", "true", "none"], ["nothing"], body=body),
            node("Cast", ["nothing"], ["nothing64"], to=TensorProto.DOUBLE),
            node("Add", ["quick", "nothing64"], [OUTPUT_NAME]),
        ]
    )
    encoded: bytes = model.SerializeToString()
    return encoded
