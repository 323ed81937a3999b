"""Trees that compare in float64, as LightGBM's and scikit-learn's do, drawn node by node into a graph.

The converters write their thresholds as float32, so that a row beside one takes the other branch, and forget
what LightGBM does with a null that it never met (8 % of probe rows differed, by up to .34).
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from flagrank.triage.errors import TrainingRefused

_LIGHTGBM_ZERO = float(np.float32(1e-35))
"""What is no further from 0 counts as 0 there, before it meets a threshold."""


class Tree(msgspec.Struct, frozen=True):
    """Nodes of one tree, (m,) each, the root first; `left` is -1 at a leaf."""

    columns: NDArray[np.int64]
    thresholds: NDArray[np.float64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    null_goes_left: NDArray[np.bool_]
    values: NDArray[np.float64]
    """What a leaf adds to the sum."""


def draw_ensemble(trees: Sequence[Tree], start: float, given: str, made: str) -> list[NodeProto]:
    """Nodes for `start` and the sum over the trees, of (n, f) of any float type; x <= threshold goes left."""
    sizes = [len(tree.left) for tree in trees]
    is_leaf = np.concatenate([tree.left for tree in trees]) < 0
    tree_ids = np.repeat(np.arange(len(trees)), sizes)
    node_ids = np.concatenate([np.arange(size) for size in sizes])

    def join(parts: Iterable[NDArray[Any]]) -> list[int]:
        """The whole numbers of all nodes; a leaf's don't matter and are 0."""
        joined: list[int] = np.where(is_leaf, 0, np.concatenate([*parts])).astype(int).tolist()
        return joined

    def tensor(values: NDArray[np.float64]) -> TensorProto:
        return numpy_helper.from_array(values.astype(np.float64))

    leaf_values = np.concatenate([tree.values for tree in trees])[is_leaf]
    node = helper.make_node(
        "TreeEnsembleRegressor",
        [f"{made}_given"],
        [made],
        domain="ai.onnx.ml",
        n_targets=1,
        post_transform="NONE",
        base_values_as_tensor=tensor(np.array([start])),
        nodes_treeids=tree_ids.tolist(),
        nodes_nodeids=node_ids.tolist(),
        nodes_featureids=join(tree.columns for tree in trees),
        nodes_modes=np.where(is_leaf, "LEAF", "BRANCH_LEQ").tolist(),
        nodes_values_as_tensor=tensor(np.concatenate([tree.thresholds for tree in trees])),
        nodes_truenodeids=join(tree.left for tree in trees),
        nodes_falsenodeids=join(tree.right for tree in trees),
        nodes_missing_value_tracks_true=join(tree.null_goes_left for tree in trees),
        target_treeids=tree_ids[is_leaf].tolist(),
        target_nodeids=node_ids[is_leaf].tolist(),
        target_ids=[0] * len(leaf_values),
        target_weights_as_tensor=tensor(leaf_values),
    )
    return [helper.make_node("Cast", [given], [f"{made}_given"], to=TensorProto.DOUBLE), node]


def read_lightgbm(classifier: Any) -> list[Tree]:  # noqa: ANN401 - LightGBM has no types
    """The trees of a fitted LGBMClassifier. Raises `TrainingRefused` for splits that no graph has."""
    booster = classifier.booster_
    model = booster.dump_model(num_iteration=booster.best_iteration if booster.best_iteration > 0 else -1)
    if model.get("average_output"):
        raise TrainingRefused("LightGBM's random forests are not converted. Use boosting_type='gbdt'.")
    return [_read_lightgbm_tree(one["tree_structure"]) for one in model["tree_info"]]


def _read_lightgbm_tree(root: dict[str, Any]) -> Tree:
    nodes = list(_walk(root))
    places = {id(node): place for place, node in enumerate(nodes)}
    is_leaf = ["leaf_value" in node for node in nodes]
    for node in nodes:
        if node.get("decision_type", "<=") != "<=" or node.get("missing_type") == "Zero":
            raise TrainingRefused(
                "LightGBM's splits by category and zero_as_missing are not converted. Fit it on numbers or "
                "on one-hot columns, with zero_as_missing=False."
            )
    thresholds = np.array([node.get("threshold", 0.0) for node in nodes], np.float64)
    return Tree(
        columns=np.array([node.get("split_feature", 0) for node in nodes]),
        thresholds=np.where(thresholds == -_LIGHTGBM_ZERO, np.nextafter(thresholds, -np.inf), thresholds),
        left=np.array(
            [
                -1 if leaf else places[id(node["left_child"])]
                for node, leaf in zip(nodes, is_leaf, strict=True)
            ]
        ),
        right=np.array(
            [
                -1 if leaf else places[id(node["right_child"])]
                for node, leaf in zip(nodes, is_leaf, strict=True)
            ]
        ),
        null_goes_left=np.array([_sends_null_left(node) for node in nodes]),
        values=np.array([node.get("leaf_value", 0.0) for node in nodes], np.float64),
    )


def _walk(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for side in ("left_child", "right_child"):
        if side in node:
            yield from _walk(node[side])


def _sends_null_left(node: dict[str, Any]) -> bool:
    """A split that met no null takes it for 0."""
    if node.get("missing_type") == "NaN":
        return bool(node["default_left"])
    return bool(node.get("threshold", 0.0) >= 0)


def read_histogram_boosting(classifier: Any) -> list[Tree]:  # noqa: ANN401 - scikit-learn has no types
    """The trees of a fitted HistGradientBoostingClassifier of two classes."""
    trees = []
    for (predictor,) in classifier._predictors:  # noqa: SLF001 - published nowhere else
        nodes = predictor.nodes
        if nodes["is_categorical"].any():
            raise TrainingRefused(
                "Splits by category of a HistGradientBoostingClassifier are not converted. Encode categories "
                "in front of it."
            )
        leaf = nodes["is_leaf"].astype(bool)
        trees.append(
            Tree(
                columns=nodes["feature_idx"].astype(np.int64),
                thresholds=nodes["num_threshold"].astype(np.float64),
                left=np.where(leaf, -1, nodes["left"].astype(np.int64)),
                right=np.where(leaf, -1, nodes["right"].astype(np.int64)),
                null_goes_left=nodes["missing_go_to_left"].astype(bool),
                values=nodes["value"].astype(np.float64),
            )
        )
    return trees


def read_forest(classifier: Any) -> list[Tree]:  # noqa: ANN401 - scikit-learn has no types
    """The trees of a fitted forest or a single tree of two classes; they add up to P(positive)."""
    trees = []
    estimators = getattr(classifier, "estimators_", [classifier])
    for estimator in estimators:
        tree = estimator.tree_
        shares = tree.value[:, 0, 1] / tree.value[:, 0].sum(axis=1)
        trees.append(
            Tree(
                columns=tree.feature.astype(np.int64),
                thresholds=tree.threshold,
                left=tree.children_left.astype(np.int64),
                right=tree.children_right.astype(np.int64),
                null_goes_left=tree.missing_go_to_left.astype(bool),
                values=shares / len(estimators),
            )
        )
    return trees
