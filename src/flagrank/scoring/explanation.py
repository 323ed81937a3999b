"""What each feature contributed to a score: exact Shapley values, from the model's own answers alone.

They are interventional Shapley values of the log-odds (Shapley, A value for n-person games, 1953; Lundberg
and Lee, A unified approach to interpreting model predictions, 2017; Janzing, Minorics and Blöbaum, Feature
relevance quantification in explainable AI: a causal problem, 2020). A coalition of features is worth the mean
log-odds of the background rows once these features have the report's values. Of f features there are 2^f
coalitions, and all are asked: nothing is sampled, and trees and networks are treated alike.
"""

from collections.abc import Callable
from functools import cache
from math import comb

import numpy as np
from numpy.typing import NDArray

from flagrank.scoring.columns import Matrix
from flagrank.triage.errors import ExplanationRefused

MOST_FEATURES = 10
BACKGROUND_ROWS = 64  # a package may hold more
MOST_ROWS = 2_000_000  # of the model a request: some seconds of one processor

Vector = NDArray[np.float64]
ScoreRows = Callable[[Matrix], Vector]  # (n, f) float32 to (n,) in (0, 1)


def check_explainable(count: int, width: int, background_rows: int) -> None:
    """Raise `ExplanationRefused` where so many reports of so many features can't be explained at once."""
    if not background_rows:
        raise ExplanationRefused(
            "The model's package has no background rows, which explanations compare with. Score without "
            "explain, or serve a package whose background.json has rows."
        )
    if width > MOST_FEATURES:
        raise ExplanationRefused(
            f"The model has {width:,} features, and reports of at most {MOST_FEATURES} are explained. Score "
            "without explain."
        )
    each = background_rows * 2**width
    if count * each > MOST_ROWS:
        raise ExplanationRefused(
            f"To explain {count:,} reports of {width} features takes {count * each:,} rows of the model, of "
            f"which a request may take {MOST_ROWS:,}. Send at most {MOST_ROWS // each:,} reports."
        )


def explain_row(score_rows: ScoreRows, background: Matrix, row: Matrix, score: float) -> tuple[float, Vector]:
    """The base value and the contributions (f,) of one row (f,), against a background of (m, f).

    They add up to the log-odds of `score`, the row's own. A feature that the model does not heed gets 0.
    Blocks for as long as the model takes for at most m x 2^f rows: one for each coalition and background row,
    but that those equal in all features, where the row has a background row's own values, are asked once.
    """
    worth = _value_coalitions(score_rows, background, row, score)  # (2^f,)
    width = background.shape[1]
    cube = worth.reshape((2,) * width)  # its axes are the features, the last one first
    weights = _weigh(width)
    contributions = np.empty(width)
    for feature in range(width):
        gains = np.diff(cube, axis=width - 1 - feature).reshape(-1)  # (2^(f - 1),) by coalitions without it
        contributions[feature] = (gains * weights).sum()
    return float(worth[0]), contributions


def _value_coalitions(score_rows: ScoreRows, background: Matrix, row: Matrix, score: float) -> Vector:
    """Mean log-odds over the background of each coalition, a number whose bits are the features in it."""
    width = background.shape[1]
    coalitions = np.arange(2**width)
    is_in = (coalitions[:, np.newaxis] >> np.arange(width)) & 1 == 1  # (2^f, f)
    differs = (background != row) & ~(np.isnan(background) & np.isnan(row))  # (m, f)
    different = differs @ (1 << np.arange(width))  # (m,) each row's own largest coalition
    same_as = coalitions & different[:, np.newaxis]  # (m, 2^f) the coalition that makes the same row
    is_asked = (same_as == coalitions) & (coalitions != different[:, np.newaxis])  # the largest is the report
    rows, asked = np.nonzero(is_asked)
    odds = np.empty(is_asked.shape)
    odds[np.arange(len(background)), different] = _log_odds(np.array(score))
    if len(rows):
        odds[is_asked] = _log_odds(score_rows(np.where(is_in[asked], row, background[rows])))
    worth: Vector = np.take_along_axis(odds, same_as, axis=1).mean(axis=0)
    return worth


def _log_odds(scores: Vector) -> Vector:
    odds: Vector = np.log(scores) - np.log1p(-scores)
    return odds


@cache
def _weigh(width: int) -> Vector:
    """Shapley's weight of each coalition of the other features, by their bits: |S|! (f - |S| - 1)! / f!."""
    sizes = [coalition.bit_count() for coalition in range(2 ** (width - 1))]
    return np.array([1 / (width * comb(width - 1, size)) for size in sizes])
