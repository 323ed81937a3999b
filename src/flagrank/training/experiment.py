"""Training from a table to a package: split, fit, convert, prove parity, measure, report, write."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, assert_never

import msgspec
import numpy as np
from numpy.typing import NDArray

from flagrank.scoring.columns import ColumnEncoder, Matrix
from flagrank.scoring.session import ModelSession
from flagrank.training.calibration import apply_calibration
from flagrank.training.conversion import close_graph
from flagrank.training.fitting import Fitted, Learner, fit_model
from flagrank.training.metrics import Metrics, measure
from flagrank.training.packaging import Ingredients, check_place, write_training_package
from flagrank.training.parity import PROBE_ROWS, NativeScorer, check_parity, make_probe_rows
from flagrank.training.report import Findings, Rounds, make_report
from flagrank.training.split import Split, find_entities, split_by_draw, split_by_time
from flagrank.triage.feature_schema import FeatureSchema
from flagrank.triage.ports import ModelIdentity

Architecture = Literal["xgboost", "keras"]

_LIBRARIES: dict[Architecture, tuple[str, ...]] = {
    "xgboost": ("onnxmltools", "scikit-learn", "xgboost", "xgboost-cpu"),
    "keras": ("keras", "scikit-learn", "tensorflow", "tensorflow-cpu"),
}


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be trained, and how; `made_at` is written into the package as it stands."""

    name: str
    schema: FeatureSchema
    target: str
    architecture: Architecture
    folds: int
    seed: int
    made_at: str


class Examples(msgspec.Struct, frozen=True, kw_only=True):
    """Labelled reports: features by name (n values each), labels (n,) 0/1, and what is to split them."""

    features: Mapping[str, Sequence[Any]]
    labels: NDArray[np.int8]
    groups: Sequence[str | None] | None = None
    times: Sequence[Any] | None = None


class Outcome(msgspec.Struct, frozen=True):
    """A package written: its identity, how good it is on unseen rows, and what to know about the data."""

    model: ModelIdentity
    metrics: Metrics
    warnings: tuple[str, ...]


class _Made(msgspec.Struct, frozen=True):
    """A fitted model that passed its parity check, and all that was found out on the way."""

    data: Matrix
    split: Split
    learner: Learner
    fitted: Fitted
    model: bytes
    native: NativeScorer
    probes: Matrix
    difference: float


def train(
    plan: Plan, examples: Examples, out: Path, on_progress: Callable[[int, int], None] | None = None
) -> Outcome:
    """Train on all examples and write a package to `out`, measured by models that did not see the row.

    Raises `TrainingRefused` where the data allow no honest model or the graph fails its parity check; nothing
    is written then.
    """
    check_place(out)
    made = _make_model(plan, examples, on_progress)
    known = ~np.isnan(made.fitted.scores)
    metrics = measure(
        examples.labels[known], made.fitted.scores[known], seed=plan.seed, entities=made.split.entities[known]
    )
    warnings = find_warnings(plan.schema, made.data, examples.labels, made.split)
    report = make_report(_gather_findings(plan, examples, made, metrics, warnings))
    ingredients = Ingredients(
        name=plan.name,
        schema=plan.schema,
        architecture=plan.architecture,
        libraries=_LIBRARIES[plan.architecture],
        target=plan.target,
        model=made.model,
        native=made.native,
        data=made.data,
        labels=examples.labels,
        out_of_fold=made.fitted.scores,
        probes=made.probes,
        metrics=msgspec.to_builtins(metrics),
        made_at=plan.made_at,
        seed=plan.seed,
    )
    return Outcome(write_training_package(out, ingredients, report), metrics, warnings)


def _make_model(plan: Plan, examples: Examples, on_progress: Callable[[int, int], None] | None) -> _Made:
    data = ColumnEncoder(plan.schema).encode_columns(examples.features)  # (n, f)
    split = _split(plan, examples, data)
    learner = _find_learner(plan)
    threads = os.cpu_count() or 1
    fitted = fit_model(
        learner, (data, examples.labels), split, seed=plan.seed, threads=threads, on_progress=on_progress
    )
    model = close_graph(fitted.model.draw(), fitted.calibration)

    def score_natively(matrix: Matrix) -> NDArray[np.float64]:
        return apply_calibration(fitted.calibration, fitted.model.predict_margins(matrix))

    probes = make_probe_rows(plan.schema, data, fitted.model.find_thresholds(), plan.seed)
    difference = check_parity(score_natively, ModelSession(model, plan.schema.names), probes)
    return _Made(data, split, learner, fitted, model, score_natively, probes, difference)


def _find_learner(plan: Plan) -> Learner:
    match plan.architecture:
        case "xgboost":
            from flagrank.training.trees import TreeLearner

            return TreeLearner()
        case "keras":
            from flagrank.training.network import NetworkLearner

            return NetworkLearner(plan.schema)
        case _:
            assert_never(plan.architecture)


def _gather_findings(
    plan: Plan, examples: Examples, made: _Made, metrics: Metrics, warnings: tuple[str, ...]
) -> Findings:
    known = ~np.isnan(made.fitted.scores)
    return Findings(
        model_name=plan.name,
        architecture=plan.architecture,
        target=plan.target,
        made_at=plan.made_at,
        schema=plan.schema,
        split=_describe_split(plan, examples, known),
        labels=examples.labels[known],
        scores=made.fitted.scores[known],
        entities=made.split.entities[known],
        metrics=metrics,
        data=made.data,
        warnings=warnings,
        importances=share_importance(
            plan.schema, made.fitted.model.weigh_features(made.data, examples.labels)
        ),
        importance=made.learner.importance,
        rounds=Rounds(made.learner.round_name, made.fitted.rounds, made.fitted.curves),
        calibration=made.fitted.calibration,
        parity_rows=PROBE_ROWS,
        parity_difference=made.difference,
        seed=plan.seed,
    )


def _split(plan: Plan, examples: Examples, data: Matrix) -> Split:
    entities = find_entities(data, _number_groups(examples.groups))
    if examples.times is None:
        return split_by_draw(entities, examples.labels, plan.folds, plan.seed)
    _, order = np.unique(np.array(examples.times), return_inverse=True)
    return split_by_time(entities, examples.labels, order.astype(np.int64), plan.folds)


def _number_groups(groups: Sequence[str | None] | None) -> NDArray[np.int64] | None:
    """Numbers from 0 by group; -1 where there is none."""
    if groups is None:
        return None
    numbers: dict[str | None, int] = {None: -1}
    return np.array([numbers.setdefault(group, len(numbers) - 1) for group in groups], dtype=np.int64)


def find_warnings(
    schema: FeatureSchema, data: Matrix, labels: NDArray[np.int8], split: Split
) -> tuple[str, ...]:
    """What a data scientist should know of the data before trusting the model, a sentence each."""
    found = []
    entities = len(np.unique(split.entities))
    if entities < len(data):
        found.append(
            f"{len(data) - entities:,} of {len(data):,} rows equal another row or share its group; such rows "
            "were kept together on one side of every split."
        )
    positives = int(labels.sum())
    if positives < 100:
        found.append(f"There are {positives} positives: read the intervals, the values alone mean little.")
    for column, feature in enumerate(schema.feature):
        values = data[:, column]
        known = values[~np.isnan(values)]
        if not len(known):
            found.append(f"{feature.name} is null in every row: the model can't use it.")
        elif len(known) == len(values) and known.min() == known.max():
            found.append(f"{feature.name} has one value in every row: the model can't use it.")
    return tuple(found)


def _describe_split(plan: Plan, examples: Examples, known: NDArray[np.bool_]) -> str:
    rows = f"{int(known.sum()):,} of {len(known):,} rows"
    if examples.times is None:
        return (
            f"{plan.folds} folds by a seeded draw of whole entities: {rows} scored by a model without them."
        )
    return f"{plan.folds} windows in time: {rows} were scored by a model fitted on earlier rows only."


def share_importance(schema: FeatureSchema, weights: NDArray[np.float64]) -> dict[str, float]:
    """Weights of the features (f,), none negative, as shares of their sum by name."""
    return dict(zip(schema.names, (weights / (weights.sum() or 1.0)).tolist(), strict=True))
