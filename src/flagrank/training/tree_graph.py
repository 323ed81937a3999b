"""The trees of a fitted XGBClassifier as a graph, and the values at which they split."""

import json
import math
from typing import TYPE_CHECKING

import numpy as np
from onnx import ModelProto, helper
from onnxmltools import convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType

from flagrank.scoring.columns import Matrix
from flagrank.scoring.session import INPUT_NAME
from flagrank.training.conversion import MARGIN_NAME, OPSET, make_body
from flagrank.triage.errors import TrainingRefused

if TYPE_CHECKING:
    from xgboost import XGBClassifier

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


def draw_trees(classifier: "XGBClassifier") -> ModelProto:
    """The body that gives the margin of a fitted binary XGBClassifier.

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
        [MARGIN_NAME],
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
    return make_body([margin], classifier.n_features_in_)


def _read_base_margin(classifier: "XGBClassifier") -> float:
    """The margin before the first tree; the converter gets it wrong where no tree has a split."""
    model = json.loads(classifier.get_booster().save_raw("json"))
    share = float(model["learner"]["learner_model_param"]["base_score"].strip("[]"))
    return math.log(share / (1 - share))


def find_thresholds(classifier: "XGBClassifier") -> dict[int, Matrix]:
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
