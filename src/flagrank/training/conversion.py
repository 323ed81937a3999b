"""The margin of any model and its calibration -> one ONNX graph from float32 columns to a float64 score."""

import math
from collections.abc import Sequence

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, compose, helper

from flagrank.scoring.columns import Matrix
from flagrank.scoring.session import CHUNK_ROWS, INPUT_NAME, OUTPUT_NAME, ModelSession
from flagrank.training.calibration import FLOOR, MARGIN_LIMIT, Calibration

MARGIN_NAME = "margin"
OPSET = 15  # the newest that the converters write
ML_OPSET = 3
IR_VERSION = 8

_ROWS_ALONE = 500


def make_body(nodes: Sequence[NodeProto], width: int, constants: Sequence[TensorProto] = ()) -> ModelProto:
    """A graph from `features`, float32 (n, width), to `margin`, one float of any type and shape a row."""
    graph = helper.make_graph(
        nodes,
        "margin",
        [helper.make_tensor_value_info(INPUT_NAME, TensorProto.FLOAT, [None, width])],
        [helper.make_empty_tensor_value_info(MARGIN_NAME)],
        constants,
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)


def close_graph(body: ModelProto, calibration: Calibration) -> bytes:
    """Append the calibration of `training.calibration.apply_calibration`, step by step.

    The exponential is a Pow: ONNX Runtime's Exp and Sigmoid work in vectors with a scalar rest, so that a
    row's last bit depends on its place in the batch (14 % and 1 % of rows, measured); Pow works row by row.
    """

    def constant(name: str, value: float) -> TensorProto:
        return helper.make_tensor(name, TensorProto.DOUBLE, [], [value])

    constants = [
        constant("least", -MARGIN_LIMIT),
        constant("most", MARGIN_LIMIT),
        constant("negative_slope", -calibration.slope),
        constant("intercept", calibration.intercept),
        constant("one", 1.0),
        constant("euler", math.e),
        constant("curve_share", 1.0 - FLOOR),
        constant("line_slope", FLOOR / (2 * MARGIN_LIMIT)),
        constant("line_middle", FLOOR / 2),
        helper.make_tensor("flat", TensorProto.INT64, [1], [-1]),
    ]
    steps = [
        ("Reshape", [MARGIN_NAME, "flat"], "margin_flat"),
        ("Clip", ["margin_double", "least", "most"], "margin_clipped"),
        ("Mul", ["margin_clipped", "negative_slope"], "sloped"),
        ("Sub", ["sloped", "intercept"], "log_odds_against"),
        ("Pow", ["euler", "log_odds_against"], "odds_against"),
        ("Add", ["odds_against", "one"], "denominator"),
        ("Div", ["curve_share", "denominator"], "curve"),
        ("Mul", ["margin_clipped", "line_slope"], "line_sloped"),
        ("Add", ["line_sloped", "line_middle"], "line"),
        ("Add", ["curve", "line"], OUTPUT_NAME),
    ]
    made = [helper.make_node(kind, inputs, [output]) for kind, inputs, output in steps]
    made.insert(1, helper.make_node("Cast", ["margin_flat"], ["margin_double"], to=TensorProto.DOUBLE))
    graph = helper.make_graph(
        [*body.graph.node, *made],
        "flagrank",
        body.graph.input,
        [helper.make_tensor_value_info(OUTPUT_NAME, TensorProto.DOUBLE, [None])],
        [*constants, *body.graph.initializer],
        sparse_initializer=body.graph.sparse_initializer,
    )
    model = helper.make_model(
        graph,
        opset_imports=body.opset_import,
        functions=body.functions,
        ir_version=body.ir_version,
        producer_name="flagrank",
    )
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def close_graph_of_others(body: ModelProto, calibration: Calibration, rows: Matrix) -> bytes:
    """As `close_graph`; where a row's score then depends on its place in a batch, each row runs alone.

    What others' converters write is not known to be free of that: a LinearClassifier, a Softplus, a Log is
    not. Running alone costs 5 us a row in any batch (measured), so it is done where `rows` (n, f) need it.
    """
    model = close_graph(body, calibration)
    return model if _is_row_exact(model, rows) else close_graph(_run_rows_alone(body), calibration)


def _is_row_exact(model: bytes, rows: Matrix) -> bool:
    session = ModelSession(model, tuple(f"column {column}" for column in range(rows.shape[1])))
    some = rows[:_ROWS_ALONE]
    together = session.score(np.resize(rows, (CHUNK_ROWS, rows.shape[1])))[: len(some)]
    return all(
        np.array_equal(
            np.concatenate([session.score(some[at : at + size]) for at in range(0, len(some), size)]),
            together,
        )
        for size in (1, 3, 64)
    )


def _run_rows_alone(body: ModelProto) -> ModelProto:
    """The same body as the inner graph of a Scan over the rows."""
    outer = compose.add_prefix(body, "row/")
    inner = outer.graph
    width = inner.input[0].type.tensor_type.shape.dim[1].dim_value
    row = helper.make_graph(
        [
            helper.make_node("Unsqueeze", ["row", "row_axis"], [inner.input[0].name]),
            *inner.node,
            helper.make_node("Reshape", [inner.output[0].name, "row_scalar"], ["row_margin_as_it_is"]),
            helper.make_node("Cast", ["row_margin_as_it_is"], ["row_margin"], to=TensorProto.DOUBLE),
        ],
        "row",
        [helper.make_tensor_value_info("row", TensorProto.FLOAT, [width])],
        [helper.make_tensor_value_info("row_margin", TensorProto.DOUBLE, [])],
        [
            helper.make_tensor("row_axis", TensorProto.INT64, [1], [0]),
            helper.make_tensor("row_scalar", TensorProto.INT64, [0], []),
            *inner.initializer,
        ],
        sparse_initializer=inner.sparse_initializer,
    )
    scan = helper.make_node("Scan", [INPUT_NAME], [MARGIN_NAME], body=row, num_scan_inputs=1)
    outer.graph.CopyFrom(make_body([scan], width).graph)
    return outer
