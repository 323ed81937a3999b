from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from msgspec.structs import astuple
from numpy.typing import NDArray

from flagrank.replay.cases import CaseStatistics
from flagrank.replay.engine import Decisions
from flagrank.replay.pooling import fit_pool, judge_fit, measure_log_loss
from flagrank.replay.rankings import pool_scores
from flagrank.triage.policy import PoolCoefficients

COUNT = 40_000


def decide(truth: PoolCoefficients) -> Decisions:
    """Decisions that were drawn from a pool with these coefficients."""
    generator = np.random.default_rng(1)
    columns: dict[str, NDArray[Any]] = {field.name: np.zeros(COUNT) for field in fields(CaseStatistics)}
    columns |= {
        "target": np.arange(COUNT),
        "max_log_odds": generator.normal(-1, 1.5, COUNT),
        "sum_weight": generator.normal(1, 2, COUNT),
        "n_reporters": generator.integers(1, 20, COUNT).astype(np.float64),
        "sum_record": generator.normal(0, 1, COUNT),
    }
    cases = CaseStatistics(**columns)
    is_actioned = generator.random(COUNT) < pool_scores(cases, truth)
    return Decisions(cases=cases, hours=np.zeros(COUNT), is_actioned=is_actioned)


def test_the_coefficients_that_made_the_decisions_are_found() -> None:
    decisions = decide(PoolCoefficients(-1.0, 0.5, 0.2, -0.4, 0.7))
    pool = fit_pool(decisions.cases, decisions.is_actioned)
    assert astuple(pool) == pytest.approx((-1.0, 0.5, 0.2, -0.4, 0.7), abs=0.06)


def test_a_higher_score_or_a_better_record_never_speaks_against_a_case() -> None:
    decisions = decide(PoolCoefficients(-1.0, 0.5, -0.2, 0.3, -0.7))
    pool = fit_pool(decisions.cases, decisions.is_actioned)
    assert pool.sum_weight == pool.sum_record == 0
    assert pool.max_log_odds == pytest.approx(0.5, abs=0.1)  # less: what it explained is left to noise


def test_the_number_of_reporters_never_counts_for_more_than_their_number() -> None:
    decisions = decide(PoolCoefficients(-1.0, 0.5, 0.2, 3.0, 0.7))
    pool = fit_pool(decisions.cases, decisions.is_actioned)
    assert pool.ln_reporters == 1
    assert pool.intercept > 0  # the others make up for it


def test_a_few_decisions_of_one_kind_are_enough_to_fit() -> None:
    decisions = decide(PoolCoefficients(9.0, 0.0, 0.0, 0.0, 0.0))
    pool = fit_pool(decisions.cases.take(np.arange(3)), np.ones(3, dtype=np.bool_))
    assert np.isfinite(astuple(pool)).all()


def test_a_fit_is_judged_on_decisions_that_it_did_not_see_beside_the_pool_before() -> None:
    truth = PoolCoefficients(-1.0, 0.5, 0.2, -0.4, 0.7)
    before = PoolCoefficients(0.0, 0.0, 1.0, 0.0, 0.0)
    decisions = decide(truth)
    found = judge_fit([decisions], before)
    assert found.decided == COUNT
    assert found.held_out == pytest.approx(COUNT / 4, rel=0.05)
    assert found.log_loss < found.log_loss_before
    entropy = measure_log_loss(pool_scores(decisions.cases, truth), decisions.is_actioned)
    assert found.log_loss == pytest.approx(entropy, abs=0.02)
