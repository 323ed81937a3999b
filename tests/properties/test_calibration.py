import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from flagrank.training.calibration import (
    LEAST_SLOPE,
    MOST_SLOPE,
    Calibration,
    apply_calibration,
    fit_calibration,
)

CALIBRATIONS = st.builds(Calibration, st.floats(LEAST_SLOPE, MOST_SLOPE), st.floats(-200, 200))
MARGINS = st.floats(-30, 30, width=32)


@given(CALIBRATIONS, MARGINS)
def test_the_next_float32_margin_scores_higher(calibration: Calibration, margin: float) -> None:
    lower = np.float32(margin)
    higher = max(np.nextafter(lower, np.float32(np.inf)), np.float32(lower + np.float32(2**-28)))
    first, second = apply_calibration(calibration, np.array([lower, higher], np.float32))
    assert 0 < first < second < 1


@given(CALIBRATIONS, st.lists(MARGINS, min_size=2, max_size=50))
def test_scores_keep_the_order_of_margins(calibration: Calibration, margins: list[float]) -> None:
    scores = apply_calibration(calibration, np.sort(np.array(margins, np.float32)))
    assert (np.diff(scores) >= 0).all()


@given(st.lists(st.tuples(MARGINS, st.booleans()), min_size=2, max_size=60))
def test_whatever_the_labels_the_fit_keeps_its_bounds(rows: list[tuple[float, bool]]) -> None:
    margins = np.array([margin for margin, _ in rows], np.float32)
    labels = np.array([label for _, label in rows], np.int8)
    fitted = fit_calibration(margins, labels)
    assert LEAST_SLOPE <= fitted.slope <= MOST_SLOPE
    scores = apply_calibration(fitted, margins)
    assert ((scores > 0) & (scores < 1)).all()
