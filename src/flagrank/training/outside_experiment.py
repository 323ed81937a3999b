"""A model from outside to a package: read its rows, convert, prove parity, calibrate, measure, write."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from flagrank.scoring.columns import Matrix
from flagrank.scoring.session import ModelSession
from flagrank.training.calibration import AS_IT_IS, Calibration, apply_calibration, fit_calibration
from flagrank.training.conversion import close_graph_of_others
from flagrank.training.experiment import Outcome, find_warnings, share_importance
from flagrank.training.importance import weigh_by_permutation
from flagrank.training.jumps import find_jumps
from flagrank.training.metrics import Metrics, measure
from flagrank.training.outside_data import OutsideData, decode, read_data
from flagrank.training.outside_model import OutsideModel, open_model
from flagrank.training.packaging import Ingredients, check_place, write_training_package
from flagrank.training.parity import PROBE_ROWS, TOLERANCE, NativeScorer, check_parity, make_probe_rows
from flagrank.training.report import Findings, make_report
from flagrank.training.split import Split, find_entities, split_by_draw
from flagrank.triage.errors import SchemaRefused, TrainingRefused
from flagrank.triage.feature_schema import FeatureSchema, parse_schema
from flagrank.triage.report import CONTEXT_FIELDS

FOLDS = 5
_SAMPLE_ROWS = 8
_ADVICE = (
    "Scale large numbers inside the model before they are added up, and leave out steps that work in another "
    "precision; or export the model yourself and give the .onnx file."
)


class Bringing(msgspec.Struct, frozen=True, kw_only=True):
    """How a model from outside is to be packaged."""

    name: str
    schema: FeatureSchema | str | Path
    target: str
    calibrate: bool
    seed: int
    made_at: str


class _Brought(msgspec.Struct, frozen=True):
    """A model that passed its parity check, and all that was found out on the way."""

    outside: OutsideModel
    data: OutsideData
    calibration: Calibration
    scores: NDArray[np.float64]
    """Of all rows, each calibrated without its own fold."""

    entities: NDArray[np.intp]
    model: bytes
    native: NativeScorer
    probes: Matrix
    difference: float


def bring(model: Any, plan: Bringing, rows: Any, out: Path) -> Outcome:  # noqa: ANN401 - of any library
    """Package a model, as `flagrank.training.package` says."""
    check_place(out)
    schema = _read_schema(plan.schema)
    data = read_data(rows, schema, plan.target)
    brought = _convert(open_model(model, schema, data.word_columns), data, schema, plan)
    metrics = measure(data.labels, brought.scores, seed=plan.seed, entities=brought.entities)
    warnings = (
        *find_warnings(schema, data.matrix, data.labels, Split((), brought.entities)),
        *_find_rounded(brought, schema),
    )
    findings = _gather_findings(plan, schema, brought, metrics, warnings)
    ingredients = Ingredients(
        name=plan.name,
        schema=schema,
        architecture=brought.outside.architecture[:128],
        libraries=brought.outside.libraries,
        target=plan.target,
        model=brought.model,
        native=brought.native,
        data=data.matrix,
        labels=data.labels,
        out_of_fold=brought.scores,
        probes=brought.probes,
        metrics=msgspec.to_builtins(metrics),
        made_at=plan.made_at,
        seed=plan.seed,
    )
    return Outcome(write_training_package(out, ingredients, make_report(findings)), metrics, warnings)


def _read_schema(given: FeatureSchema | str | Path) -> FeatureSchema:
    if isinstance(given, FeatureSchema):
        return given
    try:
        text = Path(given).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SchemaRefused(f"The schema file {given} can't be read: {error}. Name a TOML file.") from error
    return parse_schema(text, str(given), CONTEXT_FIELDS)


def _convert(outside: OutsideModel, data: OutsideData, schema: FeatureSchema, plan: Bringing) -> _Brought:
    words = data.word_columns

    def predict_margins(matrix: Matrix) -> NDArray[np.floating]:
        return outside.predict_margins(decode(matrix, schema, words))

    margins = predict_margins(data.matrix)
    if not np.isfinite(margins).all():
        row = int(np.flatnonzero(~np.isfinite(margins))[0])
        raise TrainingRefused(
            f"The model gives no number for row {row} of data. Let it take the nulls that the schema allows."
        )
    entities = find_entities(data.matrix)
    calibration, scores = AS_IT_IS, apply_calibration(AS_IT_IS, margins)
    if plan.calibrate:
        calibration, scores = _calibrate(margins, data.labels, entities, plan.seed)

    def score_natively(matrix: Matrix) -> NDArray[np.float64]:
        return apply_calibration(calibration, predict_margins(matrix))

    jumps = find_jumps(score_natively, schema, data.matrix, plan.seed)
    probes = make_probe_rows(schema, data.matrix, jumps, plan.seed, only_allowed=True)
    sample = {name: column[:_SAMPLE_ROWS] for name, column in data.columns.items()}
    model = close_graph_of_others(outside.draw(sample), calibration, probes)
    difference = check_parity(score_natively, ModelSession(model, schema.names), probes, _ADVICE)
    return _Brought(outside, data, calibration, scores, entities, model, score_natively, probes, difference)


def _calibrate(
    margins: NDArray[np.floating], labels: NDArray[np.int8], entities: NDArray[np.intp], seed: int
) -> tuple[Calibration, NDArray[np.float64]]:
    """The calibration fitted on all rows, and the scores of each row by one fitted without its fold."""
    scores = np.empty(len(labels))
    for fold in split_by_draw(entities, labels, FOLDS, seed).folds:
        calibration = fit_calibration(margins[fold.fit_rows], labels[fold.fit_rows])
        scores[fold.scored_rows] = apply_calibration(calibration, margins[fold.scored_rows])
    return fit_calibration(margins, labels), scores


def _find_rounded(brought: _Brought, schema: FeatureSchema) -> tuple[str, ...]:
    """A sentence for each feature whose rounding to float32 moves a score by more than 1e-5."""
    data, told = brought.data, []
    rounded = dict(decode(data.matrix, schema, data.word_columns))
    scores = brought.native(data.matrix)
    for name, exact in data.columns.items():
        if exact.dtype == object or np.array_equal(exact, rounded[name], equal_nan=True):
            continue
        margins = brought.outside.predict_margins({**rounded, name: exact})
        moved = np.abs(apply_calibration(brought.calibration, margins) - scores)
        worst = int(np.argmax(moved))
        if moved[worst] > TOLERANCE:
            told.append(
                f"{name} loses digits in float32, as {exact[worst]:.17g} becomes "
                f"{rounded[name][worst]:.17g}: {np.count_nonzero(moved > TOLERANCE):,} scores differ from "
                f"the model's own on the exact value, by up to {moved[worst]:.2g}. The package scores the "
                "rounded value: fit the model on columns rounded to float32, and both agree."
            )
    return tuple(told)


def _gather_findings(
    plan: Bringing, schema: FeatureSchema, brought: _Brought, metrics: Metrics, warnings: tuple[str, ...]
) -> Findings:
    data = brought.data

    def predict_margins(matrix: Matrix) -> NDArray[np.floating]:
        return brought.outside.predict_margins(decode(matrix, schema, data.word_columns))

    held_out = "The model was fitted elsewhere; its owner gave these rows as ones that it has not seen."
    calibrated = f" Each was calibrated without its own fold of {FOLDS}." if plan.calibrate else ""
    return Findings(
        model_name=plan.name,
        architecture=brought.outside.architecture,
        target=plan.target,
        made_at=plan.made_at,
        schema=schema,
        split=held_out + calibrated,
        labels=data.labels,
        scores=brought.scores,
        entities=brought.entities,
        metrics=metrics,
        data=data.matrix,
        warnings=warnings,
        importances=share_importance(schema, weigh_by_permutation(predict_margins, data.matrix, data.labels)),
        importance="the share of a feature in the loss that comes of shuffling its values",
        rounds=None,
        calibration=brought.calibration if plan.calibrate else None,
        parity_rows=PROBE_ROWS,
        parity_difference=brought.difference,
        seed=plan.seed,
    )
