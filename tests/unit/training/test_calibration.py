import numpy as np
import pytest

from flagrank.training.calibration import (
    LEAST_SLOPE,
    MOST_SLOPE,
    Calibration,
    apply_calibration,
    fit_calibration,
)


def _draw(slope: float, intercept: float, rows: int = 40_000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    margins = rng.normal(-2, 1.5, rows).astype(np.float32)
    chance = 1 / (1 + np.exp(-(slope * margins + intercept)))
    return margins, (rng.random(rows) < chance).astype(np.int8)


@pytest.mark.parametrize(("slope", "intercept"), [(1.0, 0.0), (0.4, -1.0), (2.5, 3.0)])
def test_the_slope_and_intercept_that_made_the_labels_are_found(slope: float, intercept: float) -> None:
    margins, labels = _draw(slope, intercept)
    fitted = fit_calibration(margins, labels)
    assert fitted.slope == pytest.approx(slope, rel=0.05)
    assert fitted.intercept == pytest.approx(intercept, abs=0.1)


def test_the_fit_is_the_top_of_the_likelihood() -> None:
    margins, labels = _draw(0.7, -0.5, rows=500)
    fitted = fit_calibration(margins, labels)
    positives = labels.sum()
    targets = np.where(labels == 1, (positives + 1) / (positives + 2), 1 / (500 - positives + 2))
    chance = 1 / (1 + np.exp(-(fitted.slope * margins.astype(np.float64) + fitted.intercept)))
    assert np.sum(targets - chance) == pytest.approx(0, abs=1e-3)
    assert np.sum((targets - chance) * margins) == pytest.approx(0, abs=1e-3)


def test_margins_that_say_the_opposite_get_the_least_slope_and_the_base_rate() -> None:
    margins, labels = _draw(-1.0, -3.0)
    fitted = fit_calibration(margins, labels)
    assert fitted.slope == LEAST_SLOPE
    assert apply_calibration(fitted, margins).mean() == pytest.approx(labels.mean(), abs=1e-3)


def test_equal_margins_get_the_base_rate() -> None:
    labels = np.array([1] * 20 + [0] * 80, np.int8)
    fitted = fit_calibration(np.full(100, -1.5, np.float32), labels)
    assert fitted.slope == LEAST_SLOPE
    assert apply_calibration(fitted, np.array([-1.5], np.float32))[0] == pytest.approx(21 / 102, abs=0.02)


def test_separable_labels_give_no_certainty() -> None:
    margins = np.linspace(-3, 3, 40).astype(np.float32)
    fitted = fit_calibration(margins, (margins > 0).astype(np.int8))
    scores = apply_calibration(fitted, margins)
    assert fitted.slope < MOST_SLOPE
    assert scores[-1] < 0.999
    assert scores[0] > 0.001


def test_a_margin_past_the_limit_counts_as_the_limit() -> None:
    scores = apply_calibration(Calibration(1.0, 0.0), np.array([-1e30, -32, 32, 1e30], np.float32))
    assert scores[0] == scores[1] < scores[2] == scores[3]
    assert 0 <= scores[0] < 1e-6


def test_scores_are_those_of_the_logistic_curve() -> None:
    scores = apply_calibration(Calibration(1.5, -0.5), np.array([-2, 0, 2], np.float32))
    assert scores == pytest.approx(1 / (1 + np.exp([3.5, 0.5, -2.5])), abs=4e-6)
