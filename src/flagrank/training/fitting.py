"""Fit a model in rounds, choose how many, calibrate it, and judge it on rows that no part of it has seen."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from flagrank.scoring.columns import Matrix
from flagrank.training.calibration import Calibration, apply_calibration, fit_calibration
from flagrank.training.split import Fold, Split

Rows = tuple[Matrix, NDArray[np.int8]]
"""Features (n, f), NaN where null, and 0/1 labels (n,)."""

Progress = Callable[[int, int], None]
"""Called with the rounds done and the rounds to do in all, from several threads, one call at a time."""


class Model(Protocol):
    """A model fitted in rounds, which can be asked as it was after any of them."""

    @property
    def losses(self) -> NDArray[np.float64]:
        """Log loss of the judged rows after each round."""

    def predict_margins(self, features: Matrix, rounds: int | None = None) -> NDArray[np.float32]:
        """The margins (n,) of features (n, f), as they were after so many rounds, or at the end."""

    def draw(self) -> ModelProto:
        """The body of its graph, from `features` to `margin`, as `training.conversion` takes it."""

    def find_thresholds(self) -> dict[int, Matrix]:
        """Values by column at and beside which native model and graph are most likely to part."""

    def weigh_features(self, features: Matrix, labels: NDArray[np.int8]) -> NDArray[np.float64]:
        """How much the model owes to each feature, (f,), in any unit."""


class Learner(Protocol):
    """An architecture: all that an experiment needs to know of XGBoost or Keras."""

    @property
    def most_rounds(self) -> int:
        """The rounds of a fit while they are being chosen, so the most that a model has."""

    @property
    def round_name(self) -> str:
        """What a round is, as one word: tree, epoch."""

    @property
    def importance(self) -> str:
        """What `Model.weigh_features` measures, once divided by its sum: a phrase."""

    @property
    def runs_side_by_side(self) -> bool:
        """Whether several threads may fit at once."""

    def fit(
        self, seen: Rows, judged: Rows | None, *, rounds: int, seed: int, on_round: Callable[[], None]
    ) -> Model:
        """Fit on the rows seen; the same arguments give the same model, on any number of processors."""


class Fitted(msgspec.Struct, frozen=True):
    """A model fitted on all rows, and what models without each row said of it."""

    model: Model
    """Has exactly `rounds` rounds."""

    rounds: int
    calibration: Calibration
    curves: NDArray[np.float64]
    """Log loss of each fold's scored rows after each round, (folds, most_rounds)."""

    margins: NDArray[np.float32]
    """Out-of-fold margins, (n,); NaN where a row is in no fold's scored rows."""

    scores: NDArray[np.float64]
    """Out-of-fold scores, (n,), calibrated without the row too; NaN where that is impossible."""


def fit_model(
    learner: Learner,
    rows: Rows,
    split: Split,
    *,
    seed: int,
    threads: int,
    on_progress: Progress | None = None,
) -> Fitted:
    """Fit in one more fit than the split has folds.

    Each fold's model runs all rounds. Its rounds are chosen by the curves of the folds that judged rows which
    it was fitted on, so that no row has a say in the rounds it is scored by; the rounds and the calibration
    of the final model, fitted on all rows, come from all folds. Blocks. `threads` fits run side by side where
    the learner can; the result does not depend on it.
    """
    features, labels = rows
    most = learner.most_rounds
    counter = _Counter((len(split.folds) + 1) * most, on_progress)

    def fit_fold(fold: Fold) -> Model:
        seen, judged = ((features[part], labels[part]) for part in (fold.fit_rows, fold.scored_rows))
        return learner.fit(seen, judged, rounds=most, seed=seed, on_round=counter.count)

    with ThreadPoolExecutor(threads if learner.runs_side_by_side else 1) as pool:
        models = list(pool.map(fit_fold, split.folds))
    curves = np.array([model.losses for model in models])
    margins = _predict_out_of_fold(features, split, models, curves)
    rounds = choose_rounds(curves, _count_judged(split))
    counter.expect(len(models) * most + rounds)
    final = learner.fit(rows, None, rounds=rounds, seed=seed, on_round=counter.count)
    known = ~np.isnan(margins)
    return Fitted(
        final,
        rounds,
        fit_calibration(margins[known], labels[known]),
        curves,
        margins,
        _score_out_of_fold(margins, labels, split),
    )


def choose_rounds(curves: NDArray[np.float64], weights: NDArray[np.integer]) -> int:
    """Return the rounds (>= 1) at which the mean of log loss curves (k, rounds), weighted, is least."""
    return int(np.argmin(weights @ curves)) + 1


def _predict_out_of_fold(
    features: Matrix, split: Split, models: Sequence[Model], curves: NDArray[np.float64]
) -> NDArray[np.float32]:
    margins = np.full(len(features), np.nan, np.float32)
    weights = _count_judged(split)
    for fold, model, judges in zip(split.folds, models, _find_judges(split), strict=True):
        rounds = choose_rounds(curves[judges], weights[judges])
        margins[fold.scored_rows] = model.predict_margins(features[fold.scored_rows], rounds)
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


class _Counter:
    """Counts the rounds of all fits and tells how many are done."""

    def __init__(self, expected: int, on_progress: Progress | None) -> None:
        self._lock = threading.Lock()
        self._done, self._expected = 0, expected
        self._on_progress = on_progress

    def expect(self, expected: int) -> None:
        """Correct how many rounds there will be in all."""
        self._expected = expected

    def count(self) -> None:
        """Count one more."""
        with self._lock:
            self._done += 1
            if self._on_progress is not None:
                self._on_progress(self._done, self._expected)
