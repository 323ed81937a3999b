"""The trained weights of `training.network` as a graph, drawn operation by operation."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

from flagrank.scoring.session import INPUT_NAME
from flagrank.training.conversion import MARGIN_NAME, make_body
from flagrank.training.network_inputs import NULL_CODE, NetworkInputs


def draw_network(inputs: NetworkInputs, weights: Sequence[NDArray[np.float32]]) -> ModelProto:
    """The body that gives the margin of a network; `weights` as Keras lists them.

    Those are an embedding for each category, then kernel and bias of each dense layer. The kernels are
    constants of two dimensions: ONNX Runtime packs such, and then sums every row in one order, whatever the
    batch. With three dimensions a row alone came out otherwise than in a batch, for all rows.
    """
    embeddings, dense = weights[: len(inputs.categories)], weights[len(inputs.categories) :]
    constants: dict[str, NDArray[np.generic]] = {"fills": inputs.fills}
    nodes = [
        helper.make_node("IsNaN", [INPUT_NAME], ["is_null"]),
        helper.make_node("Cast", ["is_null"], ["nulls"], to=TensorProto.FLOAT),
        helper.make_node("Where", ["is_null", "fills", INPUT_NAME], ["filled"]),
    ]
    parts = ["nulls"]
    if len(inputs.columns):
        constants |= {
            "piece_columns": inputs.columns,
            "starts": inputs.starts,
            "rates": inputs.rates,
            "nothing": np.array(0, np.float32),
            "all": np.array(1, np.float32),
        }
        nodes += [
            helper.make_node("Gather", ["filled", "piece_columns"], ["values"], axis=1),
            helper.make_node("Sub", ["values", "starts"], ["above"]),
            helper.make_node("Mul", ["above", "rates"], ["beyond"]),
            helper.make_node("Clip", ["beyond", "nothing", "all"], ["pieces"]),
        ]
        parts.append("pieces")
    constants["null_code"] = np.array(NULL_CODE, np.float32)
    for (column, _), table in zip(inputs.categories, embeddings, strict=True):
        constants |= {f"column{column}": np.array(column), f"table{column}": table}
        nodes += [
            helper.make_node("Gather", ["filled", f"column{column}"], [f"value{column}"], axis=1),
            helper.make_node("Sub", [f"value{column}", "null_code"], [f"place{column}"]),
            helper.make_node("Cast", [f"place{column}"], [f"code{column}"], to=TensorProto.INT64),
            helper.make_node("Gather", [f"table{column}", f"code{column}"], [f"word{column}"]),
        ]
        parts.append(f"word{column}")
    nodes.append(helper.make_node("Concat", parts, ["signal0"], axis=1))
    depth = len(dense) // 2
    for layer, (kernel, bias) in enumerate(zip(dense[::2], dense[1::2], strict=True)):
        constants |= {f"kernel{layer}": kernel, f"bias{layer}": bias}
        last = layer + 1 == depth
        added = MARGIN_NAME if last else f"added{layer}"
        nodes += [
            helper.make_node("MatMul", [f"signal{layer}", f"kernel{layer}"], [f"product{layer}"]),
            helper.make_node("Add", [f"product{layer}", f"bias{layer}"], [added]),
        ]
        if not last:
            nodes.append(helper.make_node("Relu", [added], [f"signal{layer + 1}"]))
    tensors = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    return make_body(nodes, len(inputs.fills), tensors)
