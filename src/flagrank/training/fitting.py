"""Fit XGBoost, choose its rounds, calibrate it, and judge it on rows that no part of it has seen."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec
import numpy as np
from numpy.typing import NDArray
from xgboost import XGBClassifier
from xgboost.callback import TrainingCallback

from flagrank.training.calibration import Calibration, apply_calibration, fit_calibration
from flagrank.training.split import Fold, Split

MOST_ROUNDS = 400
"""The trees of a fit while rounds are being chosen, so the most that a model has."""

PARAMETERS: dict[str, float] = {
    "max_depth": 4,
    "learning_rate": 0.05,
    "subsample": 0.8,
    "min_child_weight": 3,
}
"""One choice for all data: tried on 300, 2,000, 15,000 and 60,000 rows."""

Progress = Callable[[int, int], None]
"""Called with the trees grown and the trees to grow in all, from several threads, one call at a time."""


class Fitted(msgspec.Struct, frozen=True):
    """A model fitted on all rows, and what models without each row said of it."""

    classifier: XGBClassifier
    """Has exactly `rounds` trees: convert this, never its Booster."""

    rounds: int
    calibration: Calibration
    curves: NDArray[np.float64]
    """Log loss of each fold's scored rows after each tree, (folds, MOST_ROUNDS)."""

    margins: NDArray[np.float32]
    """Out-of-fold margins, (n,); NaN where a row is in no fold's scored rows."""

    scores: NDArray[np.float64]
    """Out-of-fold scores, (n,), calibrated without the row too; NaN where that is impossible."""


def fit_model(
    features: NDArray[np.float32],
    labels: NDArray[np.int8],
    split: Split,
    *,
    seed: int,
    threads: int,
    on_progress: Progress | None = None,
) -> Fitted:
    """Fit on features (n, f), NaN where null, and 0/1 labels (n,), in one more fit than the split has folds.

    Each fold's model grows MOST_ROUNDS trees. Its rounds are chosen by the curves of the folds that judged
    rows which it was fitted on, and its scores are calibrated on the out-of-fold margins of those rows:
    under a split by draw these are all the others, under one by time the earlier ones. (The first window
    has none: it takes its own best round and gets no scores.) Rounds and calibration of the final model,
    fitted on all rows, come from all folds. Blocks. A fit uses one thread, and `threads` of them run side by
    side, so that the result does not depend on `threads`.
    """
    counter = _Counter((len(split.folds) + 1) * MOST_ROUNDS, on_progress)

    def grow(fold: Fold) -> XGBClassifier:
        seen, judged = ((features[rows], labels[rows]) for rows in (fold.fit_rows, fold.scored_rows))
        return _new_classifier(MOST_ROUNDS, seed, counter).fit(*seen, eval_set=[judged], verbose=False)

    with ThreadPoolExecutor(threads) as pool:
        models = list(pool.map(grow, split.folds))
    curves = np.array([model.evals_result()["validation_0"]["logloss"] for model in models])
    margins = _predict_out_of_fold(features, split, models, curves)
    rounds = choose_rounds(curves, _count_judged(split))
    counter.expect(len(models) * MOST_ROUNDS + rounds)
    final = _new_classifier(rounds, seed, counter).fit(features, labels, verbose=False)
    known = ~np.isnan(margins)
    return Fitted(
        final.set_params(callbacks=None),
        rounds,
        fit_calibration(margins[known], labels[known]),
        curves,
        margins,
        _score_out_of_fold(margins, labels, split),
    )


def choose_rounds(curves: NDArray[np.float64], weights: NDArray[np.integer]) -> int:
    """Return the trees (>= 1) at which the mean of log loss curves (k, rounds), weighted, is least."""
    return int(np.argmin(weights @ curves)) + 1


def predict_margins(
    model: XGBClassifier, features: NDArray[np.float32], rounds: int | None = None
) -> NDArray[np.float32]:
    """Return the raw margins (n,) of features (n, f), of the first `rounds` trees or of all."""
    trees = None if rounds is None else (0, rounds)
    margins: NDArray[np.float32] = model.predict(features, output_margin=True, iteration_range=trees)
    return margins


def _predict_out_of_fold(
    features: NDArray[np.float32], split: Split, models: list[XGBClassifier], curves: NDArray[np.float64]
) -> NDArray[np.float32]:
    margins = np.full(len(features), np.nan, np.float32)
    weights = _count_judged(split)
    for fold, model, judges in zip(split.folds, models, _find_judges(split), strict=True):
        rounds = choose_rounds(curves[judges], weights[judges])
        margins[fold.scored_rows] = predict_margins(model, features[fold.scored_rows], rounds)
    return margins


def _count_judged(split: Split) -> NDArray[np.intp]:
    return np.array([len(fold.scored_rows) for fold in split.folds])


def _find_judges(split: Split) -> list[list[int]]:
    """Name for each fold the folds that judged rows which it was fitted on; itself, where there are none."""
    judged_in = np.full(len(split.entities), -1)
    for number, fold in enumerate(split.folds):
        judged_in[fold.scored_rows] = number
    judges = []
    for number, fold in enumerate(split.folds):
        found = np.unique(judged_in[fold.fit_rows])
        judges.append([int(judge) for judge in found if judge >= 0] or [number])
    return judges


def _score_out_of_fold(
    margins: NDArray[np.float32], labels: NDArray[np.int8], split: Split
) -> NDArray[np.float64]:
    scores = np.full(len(labels), np.nan)
    for fold in split.folds:
        known = fold.fit_rows[~np.isnan(margins[fold.fit_rows])]
        if 0 < labels[known].sum() < len(known):
            calibration = fit_calibration(margins[known], labels[known])
            scores[fold.scored_rows] = apply_calibration(calibration, margins[fold.scored_rows])
    return scores


def _new_classifier(rounds: int, seed: int, counter: "_Counter") -> XGBClassifier:
    return XGBClassifier(
        n_estimators=rounds,
        objective="binary:logistic",
        eval_metric="logloss",
        missing=np.nan,
        n_jobs=1,
        random_state=seed,
        callbacks=[counter],
        **PARAMETERS,
    )


class _Counter(TrainingCallback):
    """Counts the trees of all fits and tells how many are grown."""

    def __init__(self, expected: int, on_progress: Progress | None) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._grown, self._expected = 0, expected
        self._on_progress = on_progress

    def expect(self, expected: int) -> None:
        """Correct how many trees there will be in all."""
        self._expected = expected

    def after_iteration(self, _model: object, _epoch: int, _log: object) -> bool:
        """Count one more; never ask to stop."""
        with self._lock:
            self._grown += 1
            if self._on_progress is not None:
                self._on_progress(self._grown, self._expected)
        return False
