from collections.abc import Sequence
from dataclasses import fields

import numpy as np
import pytest
from numpy.typing import NDArray

from flagrank.replay.cases import CaseStatistics, OpenCases
from flagrank.simulation.reasons import REASONS
from flagrank.triage.policy import DEFAULT_POLICY
from tests.histories import write_history

PRIOR = -1.0
ANONYMOUS = -1


def open_cases(
    reports: list[tuple[int, int, float]], log_odds: list[float], targets: int = 1, **columns: Sequence[float]
) -> OpenCases:
    history = write_history(reports, is_bad=[True] * targets, hours=24.0, **columns)
    return OpenCases(history, np.array(log_odds), DEFAULT_POLICY, PRIOR)


def add(cases: OpenCases, *batch: int, records: float = 0.0) -> NDArray[np.intp]:
    return cases.add(np.array(batch), np.full(len(batch), records))


def test_a_case_counts_each_reporter_once() -> None:
    cases = open_cases([(0, 1, 1.0), (0, 2, 2.0), (0, 1, 3.0)], [0.5, 0.25, 0.0])
    add(cases, 0, 1, 2, records=0.3)
    statistics = cases.statistics
    assert statistics.reports[0] == 3
    assert statistics.voices[0] == 2
    assert statistics.evidence[0] == pytest.approx(0.5 + 0.25 - 2 * PRIOR)
    assert statistics.record[0] == pytest.approx(0.6)


def test_a_reporters_second_report_counts_by_what_it_adds() -> None:
    cases = open_cases([(0, 1, 1.0), (0, 1, 2.0)], [0.5, 2.0])
    add(cases, 0)
    add(cases, 1)
    assert cases.statistics.voices[0] == 1
    assert cases.statistics.highest[0] == 2.0
    assert cases.statistics.evidence[0] == pytest.approx(2.0 - PRIOR)
    assert np.exp(cases.statistics.innocence[0]) == pytest.approx(1 - 1 / (1 + np.exp(-2.0)))


def test_an_anonymous_crowd_is_one_voice() -> None:
    crowd = [(0, ANONYMOUS, float(hour)) for hour in range(1, 51)]
    cases = open_cases([*crowd, (0, 0, 60.0)], [1.0] * 51)
    add(cases, *range(50))
    assert cases.statistics.voices[0] == 1
    assert cases.statistics.evidence[0] == pytest.approx(1.0 - PRIOR)


def test_a_case_opens_at_its_first_report_and_is_as_severe_as_its_most_severe() -> None:
    reasons = [REASONS.index("spam"), REASONS.index("threat"), REASONS.index(None)]
    reports = [(0, 0, 3.0), (0, 1, 4.0), (0, 2, 5.0)]
    cases = open_cases(reports, [0.0] * 3, reason=reasons, exposure=[7.0, 8.0, 9.0])
    add(cases, 0, 1, 2)
    assert cases.statistics.opened_at[0] == 3.0
    assert cases.statistics.last_at[0] == 5.0
    assert cases.statistics.severity[0] == DEFAULT_POLICY.severities["threat"]
    assert cases.statistics.exposure[0] == 9.0


def test_after_a_decision_the_next_report_opens_a_case_that_knows_nothing() -> None:
    cases = open_cases([(0, 0, 1.0), (0, 1, 2.0), (0, 0, 3.0)], [3.0, 3.0, 0.0])
    add(cases, 0, 1)
    voices = cases.close(np.array([0]))
    assert sorted(cases.pair_reporter[voices]) == [0, 1]
    assert not cases.is_open[0]
    add(cases, 2)
    assert cases.statistics.opened_at[0] == 3.0
    assert cases.statistics.voices[0] == cases.statistics.reports[0] == 1
    assert cases.statistics.highest[0] == 0.0
    assert cases.statistics.evidence[0] == pytest.approx(-PRIOR)
    assert cases.pair_reporter[cases.close(np.array([0]))].tolist() == [0]


def test_only_the_targets_reported_are_touched() -> None:
    cases = open_cases([(1, 0, 1.0), (2, 0, 2.0)], [0.0, 0.0], targets=4)
    assert add(cases, 0, 1).tolist() == [1, 2]
    assert cases.is_open.tolist() == [False, True, True, False]


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
