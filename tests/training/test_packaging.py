from pathlib import Path

import numpy as np
import pytest

from flagrank.scoring.columns import Matrix
from flagrank.scoring.package import read_package
from flagrank.scoring.verification import rows_to_matrix
from flagrank.training.packaging import Ingredients, digest_rows, write_training_package
from flagrank.triage.errors import PackageRefused, TrainingRefused
from flagrank.triage.feature_schema import Feature, FeatureSchema
from tests.packages import make_graph, score_natively

SCHEMA = FeatureSchema(
    (
        Feature("kind", "category", values=("a", "b"), open=True, nullable=True),
        Feature("length", "integer", range=(0, 1000)),
        Feature("is_new", "boolean"),
    )
)


def _make_data(rows: int = 500) -> Matrix:
    random = np.random.default_rng(1)
    columns = [random.integers(-1, 2, rows), random.integers(0, 1001, rows), random.integers(0, 2, rows)]
    data = np.column_stack(columns).astype(np.float32)
    data[:50, 0] = np.nan
    return data


def _make_parts(**changes: object) -> Ingredients:
    data = _make_data()
    labels = (np.arange(len(data)) % 5 == 0).astype(np.int8)
    parts = {
        "name": "small",
        "schema": SCHEMA,
        "architecture": "xgboost",
        "libraries": ("xgboost-cpu", "none-of-this-name"),
        "target": "actionable",
        "model": make_graph(3),
        "native": score_natively,
        "data": data,
        "labels": labels,
        "out_of_fold": score_natively(data),
        "probes": data,
        "metrics": {"roc_auc": {"value": 0.5, "low": 0.4, "high": 0.6}},
        "made_at": "2026-01-01T00:00:00Z",
        "seed": 0,
    }
    return Ingredients(**(parts | changes))


def test_a_package_holds_what_is_known_of_the_training_data(tmp_path: Path) -> None:
    identity = write_training_package(tmp_path / "m", _make_parts(), b"<html>")
    package = read_package(tmp_path / "m")
    assert package.identity == identity
    training = package.manifest.training
    assert (training.rows, training.positives, training.base_rate) == (500, 100, 0.2)
    assert training.features["kind"].null_rate == pytest.approx(0.1)
    assert training.features["kind"].edges == (-0.5, 0.5)  # unknown, a, b
    assert sum(training.features["kind"].shares) == pytest.approx(1)
    assert len(training.features["length"].edges) == 9
    assert all(0.05 < share < 0.15 for share in training.features["length"].shares)
    assert {"flagrank", "onnxruntime", "xgboost-cpu"} <= set(package.manifest.libraries)
    assert "none-of-this-name" not in package.manifest.libraries
    assert len(package.background.rows) == 64
    assert len(package.held_out.digests) == len(package.held_out.scores) == 500
    np.testing.assert_allclose(
        score_natively(rows_to_matrix(package.golden.rows)), np.array(package.golden.scores), rtol=0, atol=0
    )


def test_rows_without_an_out_of_fold_score_are_not_held_out(tmp_path: Path) -> None:
    scores = score_natively(_make_data())
    scores[:400] = np.nan
    write_training_package(tmp_path / "m", _make_parts(out_of_fold=scores), b"")
    assert len(read_package(tmp_path / "m").held_out.scores) == 100


def test_a_digest_depends_on_values_not_on_the_order_of_features_or_codes() -> None:
    data = _make_data()
    _, length, is_new = SCHEMA.feature
    kind = Feature("kind", "category", values=("b", "a"), open=True, nullable=True)
    turned = FeatureSchema((is_new, length, kind))
    swapped = data[:, [2, 1, 0]].copy()
    known = ~np.isnan(swapped[:, 2]) & (swapped[:, 2] >= 0)
    swapped[known, 2] = 1 - swapped[known, 2]
    assert digest_rows(SCHEMA, data) == digest_rows(turned, swapped)
    assert len(set(digest_rows(SCHEMA, data))) == len(np.unique(data, axis=0, equal_nan=True))


def test_an_earlier_package_is_replaced_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    first = write_training_package(tmp_path / "m", _make_parts(), b"one")
    second = write_training_package(tmp_path / "m", _make_parts(seed=1), b"two")
    assert first != second
    assert read_package(tmp_path / "m").identity == second
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


@pytest.mark.parametrize("place", ["file", "full", "missing/m"])
def test_a_place_that_holds_something_else_is_refused_and_left_as_it_was(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    with pytest.raises(TrainingRefused, match=r"Choose another|Make it first"):
        write_training_package(tmp_path / place, _make_parts(), b"")
    assert (tmp_path / "file").read_text() == (tmp_path / "full" / "notes.txt").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "full"]


def test_a_package_that_fails_its_verification_leaves_the_earlier_one(tmp_path: Path) -> None:
    first = write_training_package(tmp_path / "m", _make_parts(), b"")
    with pytest.raises(PackageRefused, match="golden"):
        write_training_package(tmp_path / "m", _make_parts(native=lambda rows: score_natively(rows) / 2), b"")
    assert read_package(tmp_path / "m").identity == first
    assert [path.name for path in tmp_path.iterdir()] == ["m"]
