from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from flagrank.replay import rankings
from flagrank.replay.cases import CaseStatistics
from flagrank.replay.rankings import Pool, estimate_exposure
from flagrank.triage.policy import DEFAULT_POLICY
from flagrank.triage.priority import compute_priority

POOL = Pool(constant=-0.5, highest=0.4, evidence=0.2, voices=-0.1, record=0.6)


def cases(**columns: Sequence[float]) -> CaseStatistics:
    """Two spam cases with one report each, alike but for `columns`."""
    alike: dict[str, NDArray[Any]] = {field.name: np.zeros(2) for field in fields(CaseStatistics)}
    alike |= {
        "target": np.arange(2),
        "is_profile": np.zeros(2, dtype=np.bool_),
        "reports": np.ones(2),
        "voices": np.ones(2),
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
    assert puts_second_first(rankings.report_count, reports=[1.0, 2.0])
    assert puts_second_first(rankings.highest_score, highest=[0.0, 0.1])
    assert puts_second_first(rankings.noisy_or_severity, innocence=[-0.1, -0.2])
    assert puts_second_first(rankings.noisy_or_severity, severity=[1.0, 2.0])
    assert not puts_second_first(rankings.noisy_or_severity, exposure=[1.0, 2.0])
    assert puts_second_first(rankings.noisy_or_harm, exposure=[1.0, 2.0])


@pytest.mark.parametrize(
    "columns",
    [
        {"highest": [0.0, 0.1]},
        {"evidence": [0.0, 0.1]},
        {"record": [0.0, 0.1]},
        {"severity": [1.0, 1.1]},
        {"exposure": [1.0, 1.1]},
    ],
    ids=lambda columns: next(iter(columns)),
)
def test_expected_harm_rises_with_all_that_speaks_for_it(columns: dict[str, list[float]]) -> None:
    assert puts_second_first(rankings.expected_harm(POOL), **columns)


def test_expected_harm_is_the_products_own_priority() -> None:
    case = cases(highest=[1.5, 0.0], evidence=[2.0, 1.0], voices=[3.0, 1.0], record=[0.2, 0.0])
    chance = 1 / (1 + np.exp(-(-0.5 + 0.4 * 1.5 + 0.2 * 2.0 - 0.1 * np.log(3) + 0.6 * 0.2)))
    assert rankings.expected_harm(POOL)(case)[0] == pytest.approx(
        compute_priority(chance, 1.0, 100.0, DEFAULT_POLICY)
    )


def test_exposure_that_was_sent_is_taken_as_it_is() -> None:
    assert estimate_exposure(cases(exposure=[3.0, 0.0])).tolist() == [3.0, 0.0]


def test_exposure_never_sent_is_estimated_from_how_reports_arrive() -> None:
    unknown = cases(
        exposure=[np.nan, np.nan],
        voices=[5.0, 1.0],
        opened_at=[10.0, 10.0],
        last_at=[14.0, 10.0],
        is_profile=[False, True],
    )
    assert estimate_exposure(unknown) == pytest.approx([4.3 / 10 * 24 * 30, 0.3 / 6 * 120 * 30])


def test_a_crowd_in_a_hurry_is_seen_by_more() -> None:
    slow = cases(exposure=[np.nan, np.nan], voices=[2.0, 5.0], last_at=[8.0, 8.0])
    fast = replace(slow, last_at=np.array([1.0, 1.0]))
    assert np.diff(estimate_exposure(slow)) > 0
    assert (estimate_exposure(fast) > estimate_exposure(slow)).all()
