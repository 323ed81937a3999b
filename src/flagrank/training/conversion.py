"""A fitted classifier and its calibration -> one ONNX graph from float32 columns to a float64 score."""

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper
from onnxmltools import convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType

from flagrank.scoring.session import INPUT_NAME, OUTPUT_NAME
from flagrank.training.calibration import FLOOR, MARGIN_LIMIT, Calibration
from flagrank.triage.errors import TrainingRefused

if TYPE_CHECKING:
    from xgboost import XGBClassifier

OPSET = 15  # the newest that the converter writes
ML_OPSET = 3
IR_VERSION = 8
_SHARED_ATTRIBUTES = (
    "nodes_falsenodeids",
    "nodes_featureids",
    "nodes_hitrates",
    "nodes_missing_value_tracks_true",
    "nodes_modes",
    "nodes_nodeids",
    "nodes_treeids",
    "nodes_truenodeids",
    "nodes_values",
)


def convert_trees(classifier: "XGBClassifier", calibration: Calibration) -> bytes:
    """The graph of a fitted binary XGBClassifier: its trees, then the calibration in float64.

    The converter reads the classifier, never the raw Booster: it forgets the best iteration (off by .32).
    Raises `TrainingRefused` for boosters that the converter gets wrong.
    """
    _refuse_inconvertible(classifier)
    converted = convert_xgboost(
        classifier,
        initial_types=[(INPUT_NAME, FloatTensorType([None, classifier.n_features_in_]))],
        target_opset=OPSET,
    )
    trees = next(node for node in converted.graph.node if node.op_type == "TreeEnsembleClassifier")
    given = {attribute.name: helper.get_attribute_value(attribute) for attribute in trees.attribute}
    margin = helper.make_node(
        "TreeEnsembleRegressor",
        [INPUT_NAME],
        ["margin"],
        domain="ai.onnx.ml",
        n_targets=1,
        post_transform="NONE",
        target_ids=[0] * len(given["class_ids"]),
        target_nodeids=given["class_nodeids"],
        target_treeids=given["class_treeids"],
        target_weights=given["class_weights"],
        base_values=[_read_base_margin(classifier)],
        **{name: given[name] for name in _SHARED_ATTRIBUTES if name in given},
    )
    return _build([margin], classifier.n_features_in_, calibration)


def _read_base_margin(classifier: "XGBClassifier") -> float:
    """The margin before the first tree; the converter gets it wrong where no tree has a split."""
    model = json.loads(classifier.get_booster().save_raw("json"))
    share = float(model["learner"]["learner_model_param"]["base_score"].strip("[]"))
    return math.log(share / (1 - share))


def find_thresholds(classifier: "XGBClassifier") -> dict[int, NDArray[np.float32]]:
    """The values at which the trees split, by column; read from the booster, not from what was converted."""
    model = json.loads(classifier.get_booster().save_raw("json"))
    found: dict[int, set[float]] = {}
    for tree in model["learner"]["gradient_booster"]["model"]["trees"]:
        for column, value, left in zip(
            tree["split_indices"], tree["split_conditions"], tree["left_children"], strict=True
        ):
            if left != -1:  # a leaf has no split
                found.setdefault(column, set()).add(value)
    return {column: np.array(sorted(values), dtype=np.float32) for column, values in found.items()}


def _refuse_inconvertible(classifier: "XGBClassifier") -> None:
    from xgboost import XGBClassifier

    if not isinstance(classifier, XGBClassifier):
        raise TrainingRefused(
            f"A {type(classifier).__name__} can't be converted rightly. Fit an XGBClassifier."
        )
    if classifier.booster not in {None, "gbtree"}:
        raise TrainingRefused(f"The booster {classifier.booster} can't be converted rightly. Use gbtree.")
    if not np.isnan(classifier.missing):
        raise TrainingRefused(
            f"The classifier takes {classifier.missing} for missing. Fit it with missing=NaN."
        )


def _build(nodes: list[Any], width: int, calibration: Calibration) -> bytes:
    """Append the calibration of `training.calibration.apply_calibration`, step by step.

    The exponential is a Pow: ONNX Runtime's Exp and Sigmoid work in vectors with a scalar rest, so that a
    row's last bit depends on its place in the batch (14 % and 1 % of rows, measured); Pow works row by row.
    """

    def constant(name: str, value: float) -> Any:  # noqa: ANN401 - onnx has no types for its messages
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
        ("Reshape", ["margin", "flat"], "margin_flat"),
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
        [*nodes, *made],
        "flagrank",
        [helper.make_tensor_value_info(INPUT_NAME, TensorProto.FLOAT, [None, width])],
        [helper.make_tensor_value_info(OUTPUT_NAME, TensorProto.DOUBLE, [None])],
        constants,
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="flagrank")
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString(deterministic=True)
    return content
