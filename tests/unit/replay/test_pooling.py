from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from flagrank.replay.cases import CaseStatistics
from flagrank.replay.engine import Decisions
from flagrank.replay.pooling import fit_pool

COUNT = 40_000


def decide(*, constant: float, highest: float, evidence: float, voices: float, record: float) -> Decisions:
    """Decisions that were drawn from a pool with these coefficients."""
    generator = np.random.default_rng(1)
    columns: dict[str, NDArray[Any]] = {field.name: np.zeros(COUNT) for field in fields(CaseStatistics)}
    columns |= {
        "highest": generator.normal(-1, 1.5, COUNT),
        "evidence": generator.normal(1, 2, COUNT),
        "voices": generator.integers(1, 20, COUNT).astype(np.float64),
        "record": generator.normal(0, 1, COUNT),
    }
    cases = CaseStatistics(**columns)
    log_odds = (
        constant
        + highest * cases.highest
        + evidence * cases.evidence
        + voices * np.log(cases.voices)
        + record * cases.record
    )
    is_actioned = generator.random(COUNT) < 1 / (1 + np.exp(-log_odds))
    return Decisions(cases=cases, hours=np.zeros(COUNT), is_actioned=is_actioned)


def test_the_coefficients_that_made_the_decisions_are_found() -> None:
    pool = fit_pool(decide(constant=-1.0, highest=0.5, evidence=0.2, voices=-0.4, record=0.7))
    found = [pool.constant, pool.highest, pool.evidence, pool.voices, pool.record]
    assert found == pytest.approx([-1.0, 0.5, 0.2, -0.4, 0.7], abs=0.06)


def test_a_higher_score_or_a_better_record_never_speaks_against_a_case() -> None:
    pool = fit_pool(decide(constant=-1.0, highest=0.5, evidence=-0.2, voices=0.3, record=-0.7))
    assert pool.evidence == pool.record == 0
    assert pool.highest == pytest.approx(0.5, abs=0.1)  # a little less: what it explained is left to noise


def test_a_few_decisions_of_one_kind_are_enough_to_fit() -> None:
    decisions = decide(constant=9.0, highest=0.0, evidence=0.0, voices=0.0, record=0.0)
    few = Decisions(
        cases=decisions.cases.take(np.arange(3)),
        hours=decisions.hours[:3],
        is_actioned=np.ones(3, dtype=np.bool_),
    )
    pool = fit_pool(few)
    assert np.isfinite([pool.constant, pool.highest, pool.evidence, pool.voices, pool.record]).all()
