"""The blind slice tells the truth of all cases, however many of them are ever reviewed."""

from functools import cache
from math import isnan
from statistics import fmean

import pytest

from flagrank.replay.blind_slice import PlayedWeek, play_week
from flagrank.settings import load_default_policy

WEEKS = 50
CASES = 800


@cache
def weeks_at(load: float) -> list[PlayedWeek]:
    return [play_week(seed, load, CASES, load_default_policy().draws) for seed in range(WEEKS)]


@pytest.mark.parametrize("load", [0.5, 0.9, 1.2])
@pytest.mark.parametrize("share", ["prevalence", "precision", "recall"])
def test_an_interval_holds_the_truth_in_nine_weeks_of_ten(load: float, share: str) -> None:
    told = [(getattr(week, share), getattr(week.estimates, share)) for week in weeks_at(load)]
    held = sum(estimate is not None and estimate.low <= truth <= estimate.high for truth, estimate in told)
    assert held >= 0.9 * WEEKS


@pytest.mark.parametrize("load", [0.5, 0.9, 1.2])
def test_on_average_the_slice_is_right(load: float) -> None:
    weeks = weeks_at(load)
    told = fmean(week.estimates.prevalence.share for week in weeks if week.estimates.prevalence)
    # Fifty weeks of some forty marked cases: a standard error of .007.
    assert told == pytest.approx(fmean(week.prevalence for week in weeks), abs=0.02)


def test_what_waits_in_the_queue_would_tell_something_else() -> None:
    weeks = weeks_at(1.2)
    waiting = fmean(week.uniform_prevalence for week in weeks if not isnan(week.uniform_prevalence))
    assert waiting < 0.5 * fmean(week.prevalence for week in weeks)


def test_the_same_seed_is_the_same_week() -> None:
    assert play_week(3, 0.9, 200, load_default_policy().draws) == play_week(
        3, 0.9, 200, load_default_policy().draws
    )
