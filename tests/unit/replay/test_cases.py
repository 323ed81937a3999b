from collections.abc import Sequence
from dataclasses import fields

import numpy as np
import pytest
from numpy.typing import NDArray

from flagrank.replay.cases import CaseStatistics, OpenCases
from flagrank.replay.scored_history import ScoredHistory
from flagrank.settings import load_default_policy
from flagrank.simulation.reasons import REASONS
from tests.histories import write_history

POLICY = load_default_policy()
BASE = -1.0
ANONYMOUS = -1


def open_cases(
    reports: list[tuple[int, int, float]], log_odds: list[float], targets: int = 1, **columns: Sequence[float]
) -> OpenCases:
    history = write_history(reports, is_bad=[True] * targets, hours=24.0, **columns)
    return OpenCases(ScoredHistory(history, np.array(log_odds), BASE), POLICY)


def add(cases: OpenCases, *batch: int, records: float = 0.0) -> NDArray[np.intp]:
    return cases.add(np.array(batch), np.full(len(batch), records))


def join(cases: OpenCases, group: list[int], now: int, records: float = 0.0) -> NDArray[np.intp]:
    again = cases.join_voices(np.array(group), now)
    return cases.hear_again(again, np.full(len(again), records))


def test_a_case_counts_each_reporter_once() -> None:
    cases = open_cases([(0, 1, 1.0), (0, 2, 2.0), (0, 1, 3.0)], [0.5, 0.25, 0.0])
    add(cases, 0, 1, 2, records=0.25)
    statistics = cases.statistics
    assert statistics.n_reports[0] == 3
    assert statistics.n_reporters[0] == 2
    assert statistics.sum_weight[0] == 0.5 + 0.25 - 2 * BASE
    assert statistics.sum_record[0] == 0.5


def test_a_reporters_second_report_counts_by_what_it_adds() -> None:
    cases = open_cases([(0, 1, 1.0), (0, 1, 2.0)], [0.5, 2.0])
    add(cases, 0)
    add(cases, 1)
    assert cases.statistics.n_reporters[0] == 1
    assert np.exp(cases.statistics.innocence[0]) == pytest.approx(1 - 1 / (1 + np.exp(-2.0)))


def test_an_anonymous_crowd_is_one_voice() -> None:
    crowd = [(0, ANONYMOUS, float(hour)) for hour in range(1, 51)]
    cases = open_cases([*crowd, (0, 0, 60.0)], [1.0] * 51)
    add(cases, *range(50))
    assert cases.statistics.n_reporters[0] == 1
    assert cases.statistics.sum_weight[0] == 1.0 - BASE


def test_a_case_has_the_reason_of_its_most_severe_report_of_equal_ones_the_newest() -> None:
    words = ["spam", "threat", "self_harm", None]
    reports = [(0, reporter, 3.0 + reporter) for reporter in range(4)]
    for batches in ([[0, 1, 2, 3]], [[0], [1], [2], [3]]):
        cases = open_cases(reports, [0.0] * 4, reason=[REASONS.index(word) for word in words])
        for batch in batches:
            add(cases, *batch)
        assert REASONS[cases.statistics.reason[0]] == "self_harm"
        assert cases.statistics.severity[0] == 12


def test_after_a_decision_the_next_report_opens_a_case_that_knows_nothing() -> None:
    cases = open_cases([(0, 0, 1.0), (0, 1, 2.0), (0, 0, 3.0)], [3.0, 3.0, 0.0], exposure=[5.0, 5.0, np.nan])
    add(cases, 0, 1)
    voices = cases.close(np.array([0]))
    assert sorted(cases.pair_reporter[voices]) == [0, 1]
    assert not cases.is_open[0]
    add(cases, 2)
    assert cases.statistics.opened_at[0] == 3.0
    assert cases.statistics.n_reporters[0] == cases.statistics.n_reports[0] == 1
    assert cases.statistics.max_log_odds[0] == 0.0
    assert cases.statistics.sum_weight[0] == -BASE
    assert np.isnan(cases.statistics.exposure[0])
    assert cases.pair_reporter[cases.close(np.array([0]))].tolist() == [0]


def test_only_the_targets_reported_are_touched() -> None:
    cases = open_cases([(1, 0, 1.0), (2, 0, 2.0)], [0.0, 0.0], targets=4)
    assert add(cases, 0, 1).tolist() == [1, 2]
    assert cases.is_open.tolist() == [False, True, True, False]


def test_who_is_found_in_step_is_one_voice_on_open_cases_and_from_then_on() -> None:
    reports = [(target, reporter, 1.0 + target) for target in range(2) for reporter in range(4)]
    cases = open_cases(reports, [0.0, 1.0, 0.5, 2.0] * 2, targets=2)
    add(cases, 0, 1, 2, 3)
    assert join(cases, [7, 7, 7, -1], now=4, records=-0.5).tolist() == [0]
    add(cases, 4, 5, 6, 7, records=-0.5)
    for target in range(2):
        assert cases.statistics.n_reports[target] == 4
        assert cases.statistics.n_reporters[target] == 2
        assert cases.statistics.sum_weight[target] == (1.0 - BASE) + (2.0 - BASE)
        assert cases.statistics.sum_record[target] == -1.0
    assert sorted(cases.pair_reporter[cases.close(np.array([1]))]) == [0, 1, 2, 3]


def test_a_decided_cases_reports_are_not_heard_again() -> None:
    reports = [(0, 0, 1.0), (0, 1, 2.0), (0, 0, 3.0), (0, 1, 4.0)]
    cases = open_cases(reports, [5.0, 5.0, 1.0, 2.0])
    add(cases, 0, 1)
    cases.close(np.array([0]))
    add(cases, 2)
    assert join(cases, [0, 0], now=3).tolist() == [0]
    assert cases.statistics.sum_weight[0] == 1.0 - BASE
    add(cases, 3)
    assert cases.statistics.n_reporters[0] == 1
    assert cases.statistics.sum_weight[0] == 2.0 - BASE


@pytest.mark.parametrize("seed", range(5))
def test_statistics_do_not_depend_on_how_reports_are_batched(seed: int) -> None:
    generator = np.random.default_rng(seed)
    count = 300
    reports = [
        (int(target), int(reporter), float(hour))
        for target, reporter, hour in zip(
            generator.integers(0, 8, count), generator.integers(-1, 12, count), range(count), strict=True
        )
    ]
    log_odds = generator.normal(size=count).round(2).tolist()
    one_by_one, at_once = (open_cases(reports, log_odds, targets=8) for _ in range(2))
    for position in range(count):
        add(one_by_one, position, records=0.5)
    for batch in np.array_split(np.arange(count), 7):
        add(at_once, *batch.tolist(), records=0.5)
    for field in fields(CaseStatistics):
        one, other = (getattr(cases.statistics, field.name) for cases in (one_by_one, at_once))
        assert one == pytest.approx(other), field.name
