"""A fitted scikit-learn classifier or pipeline as an outside model, XGBoost and LightGBM among them."""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, compose, helper, numpy_helper
from skl2onnx import to_onnx
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, StringTensorType

from flagrank.training.column_feed import Input, draw_feed
from flagrank.training.conversion import MARGIN_NAME, ML_OPSET, OPSET, make_body
from flagrank.training.ensemble_graph import (
    draw_ensemble,
    read_forest,
    read_histogram_boosting,
    read_lightgbm,
)
from flagrank.training.odds import draw_margin, to_margins
from flagrank.training.outside_data import Columns
from flagrank.training.tree_graph import draw_trees
from flagrank.triage.errors import TrainingRefused, shorten
from flagrank.triage.feature_schema import FeatureSchema, show

_TARGET = {"": OPSET, "ai.onnx.ml": ML_OPSET}
_ROWS = "rows"  # what the classifier is given
_FLOATS = "rows_float32"
_TO_FLOATS = helper.make_node("Cast", [_ROWS], [_FLOATS], to=TensorProto.FLOAT)
_FORESTS = {"RandomForestClassifier", "ExtraTreesClassifier", "DecisionTreeClassifier", "ExtraTreeClassifier"}

Kind = Literal["xgboost", "lightgbm", "histogram boosting", "forest", "other"]
_LIBRARIES = ("lightgbm", "onnxmltools", "scikit-learn", "skl2onnx", "xgboost", "xgboost-cpu")


class SklearnModel(msgspec.Struct, frozen=True):
    """A classifier, with what stands in front of it in a pipeline, if anything does."""

    front: Any
    classifier: Any
    names: tuple[str, ...]
    """The columns it takes, in its order."""

    takes_frame: bool
    words: frozenset[str]
    schema: FeatureSchema
    libraries: tuple[str, ...] = _LIBRARIES

    @property
    def architecture(self) -> str:
        """The classes of its steps."""
        steps = [type(step).__name__ for _, step in self.front.steps] if self.front is not None else []
        return " > ".join([*steps, type(self.classifier).__name__])

    def predict_margins(self, columns: Columns) -> NDArray[np.floating]:
        """The margin that the classifier itself gives, or the log-odds of its probabilities."""
        rows = self._prepare(columns)
        margins: NDArray[np.floating]
        match find_kind(self.classifier):
            case "xgboost":
                margins = self.classifier.predict(rows, output_margin=True)
            case "lightgbm":
                margins = self.classifier.predict(rows, raw_score=True)
            case "histogram boosting":
                margins = self.classifier.decision_function(rows)
            case "forest" | "other":
                margins = to_margins(self.classifier.predict_proba(rows))
        return margins

    def draw(self, sample: Columns) -> ModelProto:
        """What stands in front in float64, as scikit-learn computes it, then the classifier.

        In float32 a scaler sends up to 45 % of rows down another branch (off by .45, measured).
        """
        width = self._prepare(sample).shape[1]
        last = _draw_classifier(self.classifier, width)
        kinds = [TensorProto.STRING if name in self.words else TensorProto.DOUBLE for name in self.names]
        if self.front is None:
            feed, constants = draw_feed([Input(_ROWS, self.names, TensorProto.FLOAT)], self.schema)
            return _chain(feed, [last], constants, self.schema)
        inputs = [Input(f"front/{name}", (name,), kind) for name, kind in zip(self.names, kinds, strict=True)]
        feed, constants = draw_feed(inputs, self.schema)
        front = compose.add_prefix(self._convert_front(kinds), "front/")
        front.graph.node.append(helper.make_node("Identity", [front.graph.output[0].name], [_ROWS]))
        return _chain(feed, [front, last], constants, self.schema)

    def _prepare(self, columns: Columns) -> Any:  # noqa: ANN401 - a matrix or a data frame
        given = {name: columns[name] for name in self.names}
        if self.takes_frame:
            import pandas as pd

            rows = pd.DataFrame(given)
        else:
            rows = np.column_stack(list(given.values()))
        if self.front is not None:
            rows = self.front.transform(rows)
        if hasattr(rows, "tocsr"):
            raise TrainingRefused(
                "What stands before the classifier gives a sparse matrix, in which XGBoost takes every 0 for "
                "missing; no graph does. Fit it with sparse_output=False, or a ColumnTransformer with "
                "sparse_threshold=0."
            )
        return rows

    def _convert_front(self, kinds: Sequence[int]) -> ModelProto:
        types: dict[int, Any] = {
            TensorProto.STRING: StringTensorType,
            TensorProto.DOUBLE: DoubleTensorType,
        }
        initial = [(name, types[kind]([None, 1])) for name, kind in zip(self.names, kinds, strict=True)]
        return _convert(self.front, initial)


def open_sklearn_model(model: Any, schema: FeatureSchema, words: frozenset[str]) -> SklearnModel:  # noqa: ANN401
    """Take a model apart. Raises `TrainingRefused` where its columns or classes don't fit."""
    steps = getattr(model, "steps", None)
    front = model[:-1] if steps and len(steps) > 1 else None
    classifier = model[-1] if steps else model
    classes = getattr(classifier, "classes_", None)
    if classes is None or len(classes) != 2:
        raise TrainingRefused(
            f"The {type(classifier).__name__} tells {0 if classes is None else len(classes)} classes apart; "
            "a score is the chance of one of two. Fit it on labels of two classes; the greater is positive."
        )
    found = getattr(model, "feature_names_in_", None)
    names = schema.names if found is None else tuple(str(name) for name in found)
    lacking = [show(name) for name in names if name not in schema.names]
    if lacking:
        raise TrainingRefused(
            f"The model takes {', '.join(lacking)}, which the schema lacks. Declare every column that the "
            "model was fitted on as a feature, and fit it on no other."
        )
    return SklearnModel(front, classifier, names, found is not None, words, schema)


def find_kind(classifier: object) -> Kind:
    """How a classifier is drawn; subclasses count as what they extend."""
    for kind in type(classifier).__mro__:
        library, name = kind.__module__.split(".")[0], kind.__name__
        if library in {"xgboost", "lightgbm"}:
            return "xgboost" if library == "xgboost" else "lightgbm"
        if library == "sklearn" and name == "HistGradientBoostingClassifier":
            return "histogram boosting"
        if library == "sklearn" and name in _FORESTS:
            return "forest"
    return "other"


def _draw_classifier(classifier: Any, width: int) -> ModelProto:  # noqa: ANN401 - any library's
    """From `rows` (n, width), of any float type, to `margin`."""
    kind = find_kind(classifier)
    constants: list[TensorProto] = []
    match kind:
        case "xgboost":
            nodes = [*draw_trees(classifier).graph.node]
            nodes[0].input[0] = _FLOATS
            nodes.insert(0, _TO_FLOATS)
        case "lightgbm":
            nodes = draw_ensemble(read_lightgbm(classifier), 0.0, _ROWS, MARGIN_NAME)
        case "histogram boosting":
            start = float(np.ravel(classifier._baseline_prediction)[0])  # noqa: SLF001 - not published
            nodes = draw_ensemble(read_histogram_boosting(classifier), start, _ROWS, MARGIN_NAME)
        case "forest":
            made, constants = draw_margin("probability", is_pair=False)
            nodes = [_TO_FLOATS, *draw_ensemble(read_forest(classifier), 0.0, _FLOATS, "probability"), *made]
        case "other":
            last = _convert(
                classifier,
                [(_FLOATS, FloatTensorType([None, width]))],
                options={id(classifier): {"zipmap": False}},
            )
            inner = compose.add_prefix(last, "last/", rename_inputs=False)
            made, constants = draw_margin(inner.graph.output[1].name, is_pair=True)
            nodes = [_TO_FLOATS, *inner.graph.node, *made]
            constants += inner.graph.initializer
    return make_body(nodes, width, constants)


def _convert(model: Any, initial: list[tuple[str, Any]], **options: Any) -> ModelProto:  # noqa: ANN401
    try:
        converted: ModelProto = to_onnx(model, initial_types=initial, target_opset=_TARGET, **options)
        _spell_imputers(converted)
    except Exception as error:  # of many kinds, from deep inside
        raise TrainingRefused(
            f"skl2onnx can't convert the {type(model).__name__}: {shorten(error)}. Use steps that it knows, "
            "or export the model yourself and give the .onnx file."
        ) from error
    return converted


def _chain(
    feed: Sequence[Any], graphs: Sequence[ModelProto], constants: Sequence[Any], schema: FeatureSchema
) -> ModelProto:
    nodes = [*feed, *(node for one in graphs for node in one.graph.node)]
    needed = [*constants, *(tensor for one in graphs for tensor in one.graph.initializer)]
    return make_body(nodes, len(schema.feature), needed)


def _spell_imputers(model: ModelProto) -> None:
    """Spell Imputer, which ONNX Runtime knows for float32 only: x, or a constant where that is null."""
    nodes = list(model.graph.node)
    model.graph.ClearField("node")
    for node in nodes:
        given = {one.name: helper.get_attribute_value(one) for one in node.attribute}
        if node.op_type != "Imputer" or "imputed_value_floats" not in given:
            model.graph.node.append(node)
            continue
        if not np.isnan(given.get("replaced_value_float", np.nan)):
            raise TrainingRefused("A SimpleImputer is converted for missing_values=nan only. Fit it so.")
        null, fill = f"{node.output[0]}_is_null", f"{node.output[0]}_fill"
        fills = np.array(given["imputed_value_floats"], np.float64)
        model.graph.initializer.append(numpy_helper.from_array(fills, fill))
        model.graph.node.append(helper.make_node("IsNaN", [node.input[0]], [null]))
        model.graph.node.append(helper.make_node("Where", [null, fill, node.input[0]], [node.output[0]]))
