"""Quality: on real review items beside plain XGBoost, on simulated reports beside the best possible score.

The network is judged beside the trees, on the same folds of both.
"""

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
from flagrank.training.fitting import Learner, fit_model
from flagrank.training.metrics import Metrics, measure
from flagrank.training.network import NetworkLearner
from flagrank.training.split import find_entities, split_by_draw
from flagrank.training.trees import TreeLearner
from flagrank.triage.feature_schema import FeatureSchema

REAL_DATA = Path("../shared/data/edits_for_review.tsv")
REAL_SCHEMA = Path("examples/edits_for_review.toml")
FOLDS = 5
FOLD_SEEDS = range(5)
THREADS = 2
SIMULATED_ROWS = 100_000
NETWORK_ROWS = 20_000  # a network takes a minute for the folds of one seed, whatever the rows
NETWORK_SEEDS = range(2)

Labels = NDArray[np.int8]
Scores = NDArray[np.float64]
Recipe = Callable[[Matrix, Labels, Matrix], Scores]


def main() -> None:
    """Measure and print the tables."""
    if REAL_DATA.exists():
        _compare_on_real_data()
        _compare_real()
    else:
        progress.print(
            f"{REAL_DATA} does not lie beside this checkout: quality on real data is not measured."
        )
    _compare_with_truth()
    _compare_simulated()


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
    fitted = fit_model(TreeLearner(), (data, labels), split, seed=0, threads=THREADS)
    return apply_calibration(fitted.calibration, fitted.model.predict_margins(unseen))


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


def _score_out_of_fold(learn: Recipe, data: Matrix, labels: Labels, seed: int) -> Scores:
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


def _compare_real() -> None:
    schema = load_schema(REAL_SCHEMA)
    table = read_table(REAL_DATA, schema, target="reverted")
    data = ColumnEncoder(schema).encode_columns(table.features)
    _compare_architectures(
        f"Keras beside XGBoost on {len(data):,} real review items", schema, data, table.labels
    )


def _compare_simulated() -> None:
    schema = load_schema(None)
    columns = simulated_columns(NETWORK_ROWS, 1)
    data, labels = (
        ColumnEncoder(schema).encode_columns(columns),
        np.array(columns["actionable"], dtype=np.int8),
    )
    _compare_architectures(f"Keras beside XGBoost on {len(data):,} simulated reports", schema, data, labels)


def _compare_architectures(title: str, schema: FeatureSchema, data: Matrix, labels: Labels) -> None:
    learners: dict[str, Learner] = {"xgboost": TreeLearner(), "keras": NetworkLearner(schema)}
    found: dict[str, list[Metrics]] = {name: [] for name in learners}
    for seed in NETWORK_SEEDS:
        split = split_by_draw(find_entities(data), labels, FOLDS, seed)
        for name, learner in learners.items():
            progress.print(f"{title}, {name}, fold seed {seed + 1} of {len(NETWORK_SEEDS)} ...")
            fitted = fit_model(learner, (data, labels), split, seed=seed, threads=THREADS)
            found[name].append(measure(labels, fitted.scores, seed=seed, entities=split.entities))
    trees, network = found["xgboost"], found["keras"]
    figures = [
        Figure(
            "ROC AUC of Keras below XGBoost's",
            _mean("roc_auc", trees) - _mean("roc_auc", network),
            target=0.01,
            how=f"Keras {show(_mean('roc_auc', network))}, XGBoost {show(_mean('roc_auc', trees))}",
        ),
        Figure("calibration error of Keras", _mean("calibration_error", network), target=0.02),
    ]
    note = f"Means over {len(NETWORK_SEEDS)} fold seeds of {FOLDS} folds, as `flagrank train` draws them."
    print_figures(title, figures, note)
