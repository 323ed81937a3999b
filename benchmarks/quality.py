"""Quality: on real review items beside plain XGBoost, on simulated reports beside the best possible score."""

import statistics
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold
from xgboost import XGBClassifier

from benchmarks.rows import simulated_columns
from benchmarks.tables import Figure, print_figures, progress, show
from flagrank.files import read_table
from flagrank.scoring.columns import ColumnEncoder, Matrix
from flagrank.settings import load_schema
from flagrank.training.calibration import apply_calibration
from flagrank.training.fitting import fit_model, predict_margins
from flagrank.training.metrics import Metrics, measure
from flagrank.training.split import find_entities, split_by_draw

REAL_DATA = Path("../shared/data/edits_for_review.tsv")
REAL_SCHEMA = Path("examples/edits_for_review.toml")
FOLDS = 5
FOLD_SEEDS = range(5)
THREADS = 2
SIMULATED_ROWS = 100_000

Labels = NDArray[np.int8]
Scores = NDArray[np.float64]
Learner = Callable[[Matrix, Labels, Matrix], Scores]


def main() -> None:
    """Measure and print both tables."""
    if REAL_DATA.exists():
        _compare_on_real_data()
    else:
        progress.print(
            f"{REAL_DATA} does not lie beside this checkout: quality on real data is not measured."
        )
    _compare_with_truth()


def learn_plainly(data: Matrix, labels: Labels, unseen: Matrix) -> Scores:
    """Score unseen rows by XGBoost as one sets it up by hand."""
    model = XGBClassifier(
        n_estimators=200,
        max_depth=4,
        learning_rate=0.05,
        subsample=0.8,
        colsample_bytree=0.8,
        min_child_weight=5,
        n_jobs=THREADS,
    )
    scores: Scores = model.fit(data, labels).predict_proba(unseen)[:, 1]
    return scores


def learn_ours(data: Matrix, labels: Labels, unseen: Matrix) -> Scores:
    """Score unseen rows as `flagrank train` would: rounds and calibration cross-fitted on the known ones."""
    split = split_by_draw(find_entities(data), labels, FOLDS, seed=0)
    fitted = fit_model(data, labels, split, seed=0, threads=THREADS)
    return apply_calibration(fitted.calibration, predict_margins(fitted.classifier, unseen))


def _compare_on_real_data() -> None:
    schema = load_schema(REAL_SCHEMA)
    table = read_table(REAL_DATA, schema, target="reverted")
    data = ColumnEncoder(schema).encode_columns(table.features)  # (n, f) float32
    plain: list[Metrics] = []
    ours: list[Metrics] = []
    for seed in FOLD_SEEDS:
        progress.print(f"quality on real data, fold seed {seed + 1} of {len(FOLD_SEEDS)} ...")
        for learn, found in ((learn_plainly, plain), (learn_ours, ours)):
            found.append(
                measure(table.labels, _score_out_of_fold(learn, data, table.labels, seed), seed=seed)
            )
    print_figures(
        f"Quality on {len(data):,} real review items",
        [
            _lead("ROC AUC", "roc_auc", plain, ours, 0.003),
            _lead("lift in the top 5 %", "lift_at_5_percent", plain, ours, 0.2),
            _lead("share filtered at recall .75", "filter_rate_at_recall_75", plain, ours, 0.005),
            Figure(
                "calibration error",
                _mean("calibration_error", ours),
                target=0.02,
                how=f"plain XGBoost {show(_mean('calibration_error', plain))}",
            ),
        ],
        f"Means over {len(FOLD_SEEDS)} fold seeds of {FOLDS} stratified folds, the same for both.",
    )


def _score_out_of_fold(learn: Learner, data: Matrix, labels: Labels, seed: int) -> Scores:
    scores = np.empty(len(labels))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    for known, unseen in folds.split(data, labels):
        scores[unseen] = learn(data[known], labels[known], data[unseen])
    return scores


def _lead(label: str, name: str, plain: list[Metrics], ours: list[Metrics], margin: float) -> Figure:
    level = _mean(name, plain)
    how = f"plain XGBoost {show(level)}; the target is that - {margin:g}"
    return Figure(label, _mean(name, ours), target=level - margin, bound="at least", how=how)


def _mean(name: str, runs: list[Metrics]) -> float:
    values: list[float] = [getattr(run, name).value for run in runs]
    return statistics.mean(values)


def _compare_with_truth() -> None:
    progress.print(f"quality on {SIMULATED_ROWS:,} simulated reports ...")
    encoder = ColumnEncoder(load_schema(None))
    known, unseen = (simulated_columns(SIMULATED_ROWS, seed) for seed in (1, 2))
    labels, truth = (np.array(columns["actionable"], dtype=np.int8) for columns in (known, unseen))
    scores = learn_ours(encoder.encode_columns(known), labels, encoder.encode_columns(unseen))
    ours, best = (measure(truth, chance, seed=0) for chance in (scores, np.array(unseen["chance"])))
    print_figures(
        "Quality on simulated reports",
        [
            Figure(
                "ROC AUC below the best possible",
                _mean("roc_auc", [best]) - _mean("roc_auc", [ours]),
                target=0.01,
                how=f"flagrank {show(_mean('roc_auc', [ours]))}, Bayes {show(_mean('roc_auc', [best]))}",
            ),
            Figure("calibration error", _mean("calibration_error", [ours]), target=0.02),
        ],
        f"SYNTHETIC: {SIMULATED_ROWS:,} reports to learn from, as many to judge by, true chances known.",
    )
