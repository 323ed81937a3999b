"""Graphs that no honest training makes, as the bytes of a model.onnx for the default schema's columns."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from flagrank.scoring.session import INPUT_NAME, OUTPUT_NAME
from tests.packages import IR_VERSION, OPSET, make_graph, read_default_schema

NAMES = read_default_schema().names
WIDTH = len(NAMES)
FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL

FIRST = "first"  # the first column, null as 0, (n,) float32: what most graphs here start from
node = helper.make_node
value_info = helper.make_tensor_value_info

CONSTANTS: dict[str, NDArray[Any]] = {
    "zero": np.array(0, np.float32),
    "column0": np.array(0),
    "column1": np.array(1),
    "thousands": np.array(2_000, np.float32),
    "true": np.array(1, np.bool_),
    "flat": np.array([-1]),
    "tiny": np.array(1e-4, np.float32),
    "huge": np.array([2**31]),
}


def build(
    *nodes: NodeProto,
    inputs: Sequence[ValueInfoProto] = (value_info(INPUT_NAME, FLOAT, ["n", WIDTH]),),
    outputs: Sequence[ValueInfoProto] = (value_info(OUTPUT_NAME, FLOAT, ["n"]),),
    tensors: Sequence[TensorProto] = (),
    domains: Sequence[str] = (),
) -> bytes:
    """A graph of these nodes; every constant is at hand."""
    constants = [numpy_helper.from_array(value, name) for name, value in CONSTANTS.items()]
    graph = helper.make_graph(nodes, "hostile", inputs, outputs, [*constants, *tensors])
    versions = [helper.make_opsetid("", OPSET), *(helper.make_opsetid(domain, 1) for domain in domains)]
    return _serialize(helper.make_model(graph, opset_imports=versions, ir_version=IR_VERSION))


def build_scores(*nodes: NodeProto, last: str, score: str = OUTPUT_NAME, **options: Any) -> bytes:  # noqa: ANN401
    """A graph from the first column through these nodes to the sigmoid of the last result."""
    return build(*_take_first_column(), *nodes, node("Sigmoid", [last], [score]), **options)


def edit(change: Callable[[ModelProto], None]) -> bytes:
    """A good graph with one change."""
    model = ModelProto()
    model.ParseFromString(make_graph(WIDTH))
    change(model)
    return _serialize(model)


def build_with_external_data(location: str) -> bytes:
    """A graph whose weights lie in a file."""
    tensor = TensorProto(name="weights", data_type=FLOAT, data_location=TensorProto.EXTERNAL)
    tensor.dims.extend([1])
    tensor.external_data.add(key="location", value=location)
    return build_scores(node("Add", [FIRST, "weights"], ["sum"]), last="sum", tensors=[tensor])


def build_by_name(names: Sequence[str], shape: Sequence[int | str] = ("n", 1), kind: int = FLOAT) -> bytes:
    """A graph with one input a name, which uses the first of them."""
    return build(
        node("Cast", [names[0]], ["float"], to=FLOAT),
        node("IsNaN", ["float"], ["is_null"]),
        node("Where", ["is_null", "zero", "float"], ["known"]),
        node("Reshape", ["known", "flat"], [FIRST]),
        node("Sigmoid", [FIRST], [OUTPUT_NAME]),
        inputs=[value_info(name, kind, shape) for name in names],
    )


def build_memory_bomb(*, at_load: bool) -> bytes:
    """8 GB of zeros; at load where nothing depends on the input, since the optimiser computes them then."""
    return build_scores(
        node("Shape", [FIRST], ["rows"]),
        node("Mul", ["rows", "huge"], ["huge_rows"]),
        node("ConstantOfShape", ["huge" if at_load else "huge_rows"], ["zeros"]),
        node("ReduceMean", ["zeros"], ["mean"], keepdims=0),
        node("Add", [FIRST, "mean"], ["sum"]),
        last="sum",
    )


def build_doubling_bomb() -> bytes:
    """A column that is set beside itself forty times over."""
    doubled = [node("Concat", [f"x{i}", f"x{i}"], [f"x{i + 1}"], axis=0) for i in range(40)]
    mean = node("ReduceMean", ["x40"], ["mean"], keepdims=0)
    return build_scores(
        node("Identity", [FIRST], ["x0"]), *doubled, mean, node("Add", [FIRST, "mean"], ["sum"]), last="sum"
    )


def build_endless_loop(*, at_load: bool) -> bytes:
    """A loop whose condition stays true; at load where nothing depends on the input."""
    body = helper.make_graph(
        [
            node("Identity", ["go_on"], ["goes_on"]),
            node("Identity", ["carried"], ["passed"]),
        ],
        "body",
        [value_info("step", INT64, []), value_info("go_on", BOOL, []), value_info("carried", FLOAT, None)],
        [value_info("goes_on", BOOL, []), value_info("passed", FLOAT, None)],
    )
    loop = node("Loop", ["", "true", "zero" if at_load else FIRST], ["looped"], body=body)
    return build_scores(loop, node("Add", [FIRST, "looped"], ["sum"]), last="sum")


def build_greedy_for_long_texts() -> bytes:
    """8 KB a character of the longest text: nothing for golden rows, 8 GB for the longest that may be."""
    return build_scores(
        *_measure_longest_text(),
        node("Mul", ["longest", "thousands"], ["wanted"]),
        node("Cast", ["wanted"], ["size"], to=INT64),
        node("Reshape", ["size", "flat"], ["shape"]),
        node("ConstantOfShape", ["shape"], ["zeros"]),
        node("ReduceSum", ["zeros"], ["nothing"], keepdims=0),
        node("Add", [FIRST, "nothing"], ["sum"]),
        last="sum",
    )


def build_slow_for_long_texts() -> bytes:
    """A turn of a loop for each thousandth of a character of the longest text: minutes for the longest."""
    body = helper.make_graph(
        [node("Identity", ["go_on"], ["goes_on"]), node("Identity", ["carried"], ["passed"])],
        "body",
        [value_info("step", INT64, []), value_info("go_on", BOOL, []), value_info("carried", FLOAT, None)],
        [value_info("goes_on", BOOL, []), value_info("passed", FLOAT, None)],
    )
    return build_scores(
        *_measure_longest_text(),
        node("Mul", ["longest", "thousands"], ["wanted"]),
        node("Cast", ["wanted"], ["turns"], to=INT64),
        node("Loop", ["turns", "true", FIRST], ["looped"], body=body),
        last="looped",
    )


def _measure_longest_text() -> list[NodeProto]:
    """The second column's greatest value, at least 0, a scalar."""
    return [
        node("Gather", [INPUT_NAME, "column1"], ["raw_lengths"], axis=1),
        node("IsNaN", ["raw_lengths"], ["has_no_length"]),
        node("Where", ["has_no_length", "zero", "raw_lengths"], ["lengths"]),
        node("ReduceMax", ["lengths"], ["greatest"], keepdims=0),
        node("Max", ["greatest", "zero"], ["longest"]),
    ]


def build_deep_branches(depth: int) -> bytes:
    """Graphs within nodes within graphs, so deep that who reads them by recursion runs out of stack."""
    graph = b""
    for _ in range(depth):
        graph = _field(1, _field(5, _field(6, graph)))  # node, its attribute, the graph in it
    return _field(7, graph)


def _field(number: int, content: bytes) -> bytes:
    """One field as protobuf writes it."""
    length, size = len(content), b""
    while length > 127:
        size += bytes([length & 127 | 128])
        length >>= 7
    return bytes([number << 3 | 2]) + size + bytes([length]) + content


def _take_first_column() -> list[NodeProto]:
    return [
        node("Gather", [INPUT_NAME, "column0"], ["raw"], axis=1),
        node("IsNaN", ["raw"], ["is_null"]),
        node("Where", ["is_null", "zero", "raw"], [FIRST]),
    ]


def _serialize(model: ModelProto) -> bytes:
    encoded: bytes = model.SerializeToString()
    return encoded
