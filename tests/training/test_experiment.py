from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flagrank.scoring.package import read_package
from flagrank.training.evaluation import evaluate
from flagrank.training.experiment import Examples, Outcome, Plan, train
from flagrank.triage.errors import TrainingRefused
from flagrank.triage.feature_schema import Feature, FeatureSchema

SCHEMA = FeatureSchema(
    (
        Feature("kind", "category", values=("a", "b"), nullable=True),
        Feature("length", "integer", range=(0, 1000)),
        Feature("rate", "number", nullable=True, optional=True),
        Feature("is_new", "boolean"),
    )
)


def _make_examples(rows: int = 600, **changes: Any) -> Examples:  # noqa: ANN401 - any field
    random = np.random.default_rng(4)
    features: dict[str, list[Any]] = {
        "kind": [(None, "a", "b")[code] for code in random.integers(0, 3, rows)],
        "length": random.integers(0, 1001, rows).tolist(),
        "rate": [None if value < 0.1 else value for value in random.random(rows).tolist()],
        "is_new": (random.random(rows) < 0.5).tolist(),
    }
    chance = np.array(features["length"]) / 1000 * np.where(features["is_new"], 0.8, 0.2)
    labels = (random.random(rows) < chance).astype(np.int8)
    fields: dict[str, Any] = {"features": features, "labels": labels}
    return Examples(**(fields | changes))


def _train(out: Path, examples: Examples, **changes: Any) -> Outcome:  # noqa: ANN401 - any field
    plan: dict[str, Any] = {
        "name": "small",
        "schema": SCHEMA,
        "target": "actionable",
        "architecture": "xgboost",
        "folds": 3,
        "seed": 0,
    }
    return train(Plan(**(plan | {"made_at": "2026-01-01T00:00:00Z"} | changes)), examples, out)


def test_training_finds_what_there_is_to_find_and_writes_a_verified_package(tmp_path: Path) -> None:
    outcome = _train(tmp_path / "m", _make_examples())
    package = read_package(tmp_path / "m")
    assert package.identity == outcome.model
    assert outcome.metrics.roc_auc.value is not None
    assert outcome.metrics.roc_auc.value > 0.7
    assert package.manifest.metrics["roc_auc"]["value"] == outcome.metrics.roc_auc.value
    assert (tmp_path / "m" / "report.html").read_bytes().startswith(b"<!doctype html>")


def test_the_same_seed_and_data_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        _train(tmp_path / name, _make_examples())
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name


def test_labels_without_any_signal_give_an_honest_model(tmp_path: Path) -> None:
    labels = (np.random.default_rng(9).random(600) < 0.3).astype(np.int8)
    outcome = _train(tmp_path / "m", _make_examples(labels=labels))
    metrics = outcome.metrics
    assert metrics.roc_auc.low is not None
    assert metrics.roc_auc.low < 0.5
    assert metrics.calibration_error.value is not None
    assert metrics.calibration_error.value < 0.1


def test_constant_and_empty_columns_are_named_and_harm_nothing(tmp_path: Path) -> None:
    features = dict(_make_examples().features) | {"rate": [None] * 600, "is_new": [True] * 600}
    outcome = _train(tmp_path / "m", _make_examples(features=features))
    assert "rate is null in every row: the model can't use it." in outcome.warnings
    assert "is_new has one value in every row: the model can't use it." in outcome.warnings


def test_data_of_one_single_value_give_the_base_rate(tmp_path: Path) -> None:
    features = {"kind": ["a"] * 600, "length": list(range(600)), "rate": [None] * 600, "is_new": [True] * 600}
    labels = np.tile([0, 0, 0, 1], 150).astype(np.int8)
    outcome = _train(tmp_path / "m", _make_examples(features=features, labels=labels))
    assert outcome.metrics.calibration_error.value is not None
    assert outcome.metrics.calibration_error.value < 0.05


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_is_refused_with_the_counts_and_nothing_is_written(tmp_path: Path, label: int) -> None:
    with pytest.raises(TrainingRefused, match=r"600|0"):
        _train(tmp_path / "m", _make_examples(labels=np.full(600, label, np.int8)))
    assert list(tmp_path.iterdir()) == []


def test_later_rows_judge_where_a_time_is_given(tmp_path: Path) -> None:
    outcome = _train(tmp_path / "m", _make_examples(times=list(range(600))))
    assert outcome.metrics.rows.value is not None
    assert 0 < outcome.metrics.rows.value < 600  # the first window is judged by nobody
    assert len(read_package(tmp_path / "m").held_out.labels) == outcome.metrics.rows.value


def test_rows_of_one_group_are_counted_as_kept_together(tmp_path: Path) -> None:
    groups = [f"g{row // 2}" if row < 500 else None for row in range(600)]
    outcome = _train(tmp_path / "m", _make_examples(groups=groups))
    assert any(warning.startswith("250 of 600 rows equal another row") for warning in outcome.warnings)


def test_evaluation_of_the_training_rows_gives_every_measure(tmp_path: Path) -> None:
    examples = _make_examples()
    _train(tmp_path / "m", examples)
    metrics = evaluate(read_package(tmp_path / "m"), examples.features, examples.labels)
    assert metrics.rows.value == 600
    assert metrics.roc_auc.value is not None
    assert metrics.roc_auc.value > 0.7


def test_evaluation_on_one_class_says_why_a_measure_is_undefined(tmp_path: Path) -> None:
    examples = _make_examples()
    _train(tmp_path / "m", examples)
    metrics = evaluate(read_package(tmp_path / "m"), examples.features, np.zeros(600, np.int8))
    assert metrics.roc_auc.value is None
    assert metrics.roc_auc.why
