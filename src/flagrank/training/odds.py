"""Probabilities of an outside model -> log-odds, the same in numpy and in a graph."""

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from flagrank.training.conversion import MARGIN_NAME

LEAST_PROBABILITY = 2.0**-20
"""Odds of more than a million to one count as that: float32 probabilities tell no more near 1."""

_COPIES = 16


def to_margins(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Log-odds (n,) of P(positive), (n,) or (n, 1), or of P(negative) and P(positive), (n, 2)."""
    given = probabilities.reshape(len(probabilities), -1).astype(np.float64)
    pair = given if given.shape[1] == 2 else np.hstack([1 - given, given])
    against, favour = np.maximum(pair, LEAST_PROBABILITY).T
    margins: NDArray[np.float64] = np.log(favour / against)
    return margins


def draw_margin(probability: str, *, is_pair: bool) -> tuple[list[NodeProto], list[TensorProto]]:
    """Nodes and constants for `to_margins` of a value of that name, in float64.

    ONNX Runtime computes Log in vectors and the rest of a batch one by one, and the two differ in their last
    bit. Each row is copied 16 times first, so that it never is a rest.
    """
    constants = {
        "odds_first": np.array(0),
        "odds_second": np.array(1),
        "odds_least": np.array(LEAST_PROBABILITY),
        "odds_one": np.array(1.0),
        "odds_copies": np.ones((1, _COPIES)),
        "odds_shape": np.array([-1, 2 if is_pair else 1]),
    }
    pick = [
        helper.make_node("Gather", ["odds_given", "odds_first"], ["odds_p0"], axis=1),
        helper.make_node("Gather", ["odds_given", "odds_second"], ["odds_p1"], axis=1),
    ]
    if not is_pair:
        pick[1] = helper.make_node("Sub", ["odds_one", "odds_p0"], ["odds_p1"])
    against, favour = ("odds_p0", "odds_p1") if is_pair else ("odds_p1", "odds_p0")
    nodes = [
        helper.make_node("Cast", [probability], ["odds_double"], to=TensorProto.DOUBLE),
        helper.make_node("Reshape", ["odds_double", "odds_shape"], ["odds_given"]),
        *pick,
        helper.make_node("Max", [favour, "odds_least"], ["odds_favour"]),
        helper.make_node("Max", [against, "odds_least"], ["odds_against_it"]),
        helper.make_node("Div", ["odds_favour", "odds_against_it"], ["odds"]),
        helper.make_node("Unsqueeze", ["odds", "odds_axis"], ["odds_column"]),
        helper.make_node("Mul", ["odds_column", "odds_copies"], ["odds_copied"]),
        helper.make_node("Log", ["odds_copied"], ["odds_log"]),
        helper.make_node("Gather", ["odds_log", "odds_first"], [MARGIN_NAME], axis=1),
    ]
    constants["odds_axis"] = np.array([1])
    return nodes, [numpy_helper.from_array(value, name) for name, value in constants.items()]
