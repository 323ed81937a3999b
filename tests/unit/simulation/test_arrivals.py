from collections import Counter
from datetime import UTC, datetime

import numpy as np
import pytest

from flagrank.simulation.arrivals import draw_times

ROWS, DAYS = 60_000, 14.0


@pytest.fixture(scope="module")
def times() -> list[datetime]:
    drawn = draw_times(np.random.default_rng(3), ROWS, DAYS)
    return [datetime.fromtimestamp(time / 1000, UTC) for time in drawn.astype(np.int64).tolist()]


def test_evenings_are_busier_than_mornings_and_days_are_alike(times: list[datetime]) -> None:
    hours = Counter(time.hour for time in times)
    assert hours[20] > 4 * hours[8]
    days = Counter(time.date() for time in times)
    assert len(days) == DAYS
    assert max(days.values()) < 1.15 * min(days.values())


def test_gaps_are_those_of_independent_arrivals(times: list[datetime]) -> None:
    # Over a few minutes the rate stands still; a Poisson count has the variance of its mean.
    minutes = Counter(time.strftime("%d %H:%M") for time in times if time.hour == 20)
    counts = np.array(list(minutes.values()))
    assert counts.var() / counts.mean() == pytest.approx(1.0, abs=0.25)
