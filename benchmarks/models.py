"""The model that every contender serves: 300 trees of depth 6, in XGBoost's own file and in a package."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from xgboost import XGBClassifier

from benchmarks.processes import BUILD
from benchmarks.rows import SEED, simulated_columns
from benchmarks.tables import progress
from flagrank.scoring.columns import ColumnEncoder, Matrix
from flagrank.settings import load_schema
from flagrank.training.calibration import AS_IT_IS, apply_calibration
from flagrank.training.conversion import close_graph
from flagrank.training.packaging import Ingredients, write_training_package
from flagrank.training.trees import Trees

TREES = 300
DEPTH = 6
TRAINING_ROWS = 50_000


@dataclass(frozen=True, slots=True)
class ServedModel:
    """One fitted model in two forms."""

    native: Path
    package: Path


def make_served_model(name: str = "benchmark", seed: int = SEED) -> ServedModel:
    """Fit the model on simulated reports of this seed and write both forms under build/."""
    progress.print(f"training {TREES} trees of depth {DEPTH} on {TRAINING_ROWS:,} simulated reports ...")
    schema = load_schema(None)
    columns = simulated_columns(TRAINING_ROWS, seed)
    data = ColumnEncoder(schema).encode_columns(columns)  # (n, f) float32
    labels = np.array(columns["actionable"], dtype=np.int8)
    classifier = XGBClassifier(n_estimators=TREES, max_depth=DEPTH, learning_rate=0.05, random_state=1)
    classifier.fit(data, labels)
    trees = Trees(classifier)

    def native(rows: Matrix) -> NDArray[np.float64]:
        return apply_calibration(AS_IT_IS, trees.predict_margins(rows))

    made = ServedModel(BUILD / name / "native.ubj", BUILD / name / "package")
    made.native.parent.mkdir(parents=True, exist_ok=True)
    classifier.save_model(made.native)
    parts = Ingredients(
        name=name,
        schema=schema,
        architecture="xgboost",
        libraries=("xgboost-cpu",),
        target="actionable",
        model=close_graph(trees.draw(), AS_IT_IS),
        native=native,
        data=data,
        labels=labels,
        out_of_fold=native(data),  # in-sample; no benchmark reads them
        probes=data,
        metrics={},
        made_at=datetime.now(UTC).isoformat(),
        seed=1,
    )
    write_training_package(made.package, parts, report=b"")
    return made
