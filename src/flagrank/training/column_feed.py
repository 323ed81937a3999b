"""From the one matrix that a package's graph is given to the inputs that another graph wants."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from flagrank.scoring.columns import UNKNOWN_CATEGORY
from flagrank.scoring.session import INPUT_NAME
from flagrank.training.conversion import MARGIN_NAME
from flagrank.training.odds import draw_margin
from flagrank.training.outside_data import UNKNOWN_WORD, Columns
from flagrank.triage.errors import TrainingRefused
from flagrank.triage.feature_schema import FeatureSchema, show

_NUMPY_TYPES: dict[int, Any] = {
    TensorProto.FLOAT: np.float32,
    TensorProto.DOUBLE: np.float64,
    TensorProto.INT32: np.int32,
    TensorProto.INT64: np.int64,
    TensorProto.BOOL: np.bool_,
    TensorProto.STRING: np.object_,
}


class Input(msgspec.Struct, frozen=True):
    """An input of a graph: the columns it takes, side by side, as one ONNX type."""

    name: str
    columns: tuple[str, ...]
    type: int

    def feed(self, columns: Columns) -> NDArray[np.generic]:
        """The columns as this input takes them, (n, len(self.columns))."""
        wanted = np.column_stack([columns[name] for name in self.columns])
        if self.type == TensorProto.STRING:
            wanted[wanted == None] = ""  # noqa: E711 - each of an array; ONNX has no null text
        return wanted.astype(_NUMPY_TYPES[self.type])


def match_inputs(
    found: Sequence[tuple[str, int, int]], schema: FeatureSchema, words: frozenset[str]
) -> list[Input]:
    """The inputs of a graph, (name, ONNX type, rank) each, by the features they take.

    One input takes all columns, several take one each, of the feature with their name. Raises
    `TrainingRefused` where they don't fit the schema.
    """
    names = [name for name, _, _ in found]
    if len(found) == 1 and (names[0] not in schema.names or len(schema.names) > 1):
        inputs = [Input(names[0], schema.names, found[0][1])]
    elif set(names) <= set(schema.names):
        inputs = [Input(name, (name,), kind) for name, kind, _ in found]
    else:
        strange = ", ".join(show(name) for name in names if name not in schema.names)
        raise TrainingRefused(
            f"The model has the inputs {strange}, which are no features. Give it one input for all columns, "
            "or one for each feature by its name. (Keras' exporter makes inputs of the tensors that a model "
            "closes over: give those as NumPy arrays.)"
        )
    for one, (name, kind, rank) in zip(inputs, found, strict=True):
        if kind not in _NUMPY_TYPES or rank != 2:
            raise TrainingRefused(
                f"The model's input {show(name)} is no tensor of rows and columns of a type that columns "
                "become. Give it float32 or text of shape (None, columns)."
            )
        are_words = {column in words for column in one.columns}
        if are_words != {kind == TensorProto.STRING}:
            raise TrainingRefused(
                f"The model's input {show(name)} takes "
                f"{'texts' if kind == TensorProto.STRING else 'numbers'}, and data has the other in its "
                "columns. Give categories in data as the model takes them: words, or codes, which are "
                "positions in the schema's values."
            )
    return inputs


def draw_feed(inputs: Sequence[Input], schema: FeatureSchema) -> tuple[list[NodeProto], list[TensorProto]]:
    """Nodes and constants that make each input, by its name, from the matrix."""
    nodes, constants = [], []
    for number, one in enumerate(inputs):
        positions = [schema.names.index(name) for name in one.columns]
        constants.append(numpy_helper.from_array(np.array(positions), f"feed_columns{number}"))
        picked = f"feed_picked{number}"
        nodes.append(helper.make_node("Gather", [INPUT_NAME, f"feed_columns{number}"], [picked], axis=1))
        if one.type == TensorProto.STRING:
            values = schema.feature[positions[0]].values
            made, needed = _draw_words(picked, one.name, values, f"feed{number}")
            nodes += made
            constants += needed
        else:
            nodes.append(helper.make_node("Cast", [picked], [one.name], to=one.type))
    return nodes, constants


def _draw_words(
    codes: str, words: str, values: Sequence[str], prefix: str
) -> tuple[list[NodeProto], list[TensorProto]]:
    """The text of each code: null first, then unknown, then the values."""
    texts = ["", UNKNOWN_WORD, *values]
    before = float(UNKNOWN_CATEGORY - 1)  # the code that null gets
    constants = [
        numpy_helper.from_array(np.array(texts, dtype=object), f"{prefix}_texts"),
        helper.make_tensor(f"{prefix}_null", TensorProto.FLOAT, [], [before]),
    ]
    nodes = [
        helper.make_node("IsNaN", [codes], [f"{prefix}_is_null"]),
        helper.make_node("Where", [f"{prefix}_is_null", f"{prefix}_null", codes], [f"{prefix}_codes"]),
        helper.make_node("Sub", [f"{prefix}_codes", f"{prefix}_null"], [f"{prefix}_places"]),
        helper.make_node("Cast", [f"{prefix}_places"], [f"{prefix}_index"], to=TensorProto.INT64),
        helper.make_node("Gather", [f"{prefix}_texts", f"{prefix}_index"], [words]),
    ]
    return nodes, constants


def wrap(
    model: ModelProto, inputs: Sequence[Input], output: str, schema: FeatureSchema, *, columns: int | None
) -> ModelProto:
    """A graph of others as a body, from `features` to `margin`.

    Its names are prefixed, so that none of ours is among them. `columns` tells what the output holds: None
    for log-odds, 1 for P(positive), 2 for P(negative) and P(positive).
    """
    from onnx import compose

    prefix = "outside/"
    inner = compose.add_prefix(model, prefix)
    inside = [msgspec.structs.replace(one, name=prefix + one.name) for one in inputs]
    feed, constants = draw_feed(inside, schema)
    if columns is None:
        end = [helper.make_node("Identity", [prefix + output], [MARGIN_NAME])]
    else:
        end, needed = draw_margin(prefix + output, is_pair=columns == 2)
        constants += needed
    graph = helper.make_graph(
        [*feed, *inner.graph.node, *end],
        "margin",
        [helper.make_tensor_value_info(INPUT_NAME, TensorProto.FLOAT, [None, len(schema.feature)])],
        [helper.make_empty_tensor_value_info(MARGIN_NAME)],
        [*constants, *inner.graph.initializer],
        sparse_initializer=inner.graph.sparse_initializer,
    )
    return helper.make_model(
        graph, opset_imports=inner.opset_import, functions=inner.functions, ir_version=inner.ir_version
    )
