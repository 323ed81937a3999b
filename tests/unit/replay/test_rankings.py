from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from flagrank.replay import rankings
from flagrank.replay.cases import CaseStatistics
from flagrank.settings import load_default_policy

POLICY = load_default_policy()


def cases(**columns: Sequence[float]) -> CaseStatistics:
    """Two spam cases with one report each, alike but for `columns`."""
    alike: dict[str, NDArray[Any]] = {field.name: np.zeros(2) for field in fields(CaseStatistics)}
    alike |= {
        "target": np.arange(2),
        "is_profile": np.zeros(2, dtype=np.bool_),
        "n_reports": np.ones(2),
        "n_reporters": np.ones(2),
        "severity": np.ones(2),
        "innocence": np.full(2, np.log(0.5)),
        "exposure": np.full(2, 100.0),
    }
    return CaseStatistics(**{**alike, **{name: np.array(values) for name, values in columns.items()}})


def puts_second_first(ranking: rankings.Ranking, **columns: Sequence[float]) -> bool:
    first, second = ranking(cases(**columns))
    return bool(second > first)


def test_each_ranking_goes_by_what_its_name_says() -> None:
    assert puts_second_first(rankings.first_in_first_out, opened_at=[2.0, 1.0])
    assert puts_second_first(rankings.report_count, n_reports=[1.0, 2.0])
    assert puts_second_first(rankings.highest_score, max_log_odds=[0.0, 0.1])
    assert puts_second_first(rankings.noisy_or_severity, innocence=[-0.1, -0.2])
    assert puts_second_first(rankings.noisy_or_severity, severity=[1.0, 2.0])
    assert not puts_second_first(rankings.noisy_or_severity, exposure=[1.0, 2.0])
    assert puts_second_first(rankings.noisy_or_harm(POLICY), exposure=[1.0, 2.0])


@pytest.mark.parametrize(
    "columns",
    [
        {"max_log_odds": [0.0, 0.1]},
        {"sum_weight": [0.0, 0.1]},
        {"sum_record": [0.0, 0.1]},
        {"severity": [1.0, 1.1]},
        {"exposure": [1.0, 1.1]},
    ],
    ids=lambda columns: next(iter(columns)),
)
def test_expected_harm_rises_with_all_that_speaks_for_it(columns: dict[str, list[float]]) -> None:
    assert puts_second_first(rankings.expected_harm(POLICY), **columns)


def test_another_pool_may_take_the_place_of_that_in_the_policy() -> None:
    assert not puts_second_first(rankings.expected_harm(POLICY, rankings.noisy_or), sum_weight=[0.0, 1.0])
    assert puts_second_first(rankings.expected_harm(POLICY, rankings.noisy_or), innocence=[-0.1, -0.2])
    assert puts_second_first(
        rankings.expected_harm(POLICY, rankings.naive_bayes(-1.0)), sum_weight=[0.0, 0.1]
    )


def test_a_crowd_in_a_hurry_is_seen_by_more() -> None:
    slow = cases(exposure=[np.nan, np.nan], n_reporters=[2.0, 5.0], last_at=[8.0, 8.0])
    fast = replace(slow, last_at=np.array([1.0, 1.0]))
    before, after = (rankings.find_exposures(each, POLICY.exposure) for each in (slow, fast))
    assert np.diff(before) > 0
    assert (after > before).all()
