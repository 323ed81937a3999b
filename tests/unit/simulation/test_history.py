import ast
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flagrank import simulation
from flagrank.simulation.history import ANONYMOUS, History, World, draw_history, draw_world
from flagrank.simulation.reasons import REASONS

ROWS = 40_000
DAYS = 7.0


@pytest.fixture(scope="module")
def world() -> World:
    return draw_world(ROWS, seed=4, days=DAYS)


@pytest.fixture(scope="module")
def history(world: World) -> History:
    return world.history


def columns_of(history: History) -> dict[str, Any]:
    columns: dict[str, Any] = {"hours": history.hours, "n_reporters": history.n_reporters}
    for part in ("reports", "targets"):
        table = getattr(history, part)
        columns |= {f"{part}.{field.name}": getattr(table, field.name) for field in fields(table)}
    return columns


def test_exactly_as_many_reports_come_as_asked_for(history: History) -> None:
    assert len(history.reports) == ROWS
    assert [len(draw_history(rows, seed=1).reports) for rows in (1, 2, 57, 1000)] == [1, 2, 57, 1000]


def test_the_same_seed_makes_the_same_history_to_the_bit() -> None:
    one, other = (columns_of(draw_history(5000, seed=8)) for _ in range(2))
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_another_seed_makes_another_history() -> None:
    one, other = (columns_of(draw_history(5000, seed=seed)) for seed in (8, 9))
    for name in ("reports.hours", "reports.reason", "targets.views"):
        assert not np.array_equal(one[name][:1000], other[name][:1000]), name


def test_no_rule_of_ranking_has_a_part_in_the_truth() -> None:
    for module in Path(simulation.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("flagrank"):
                assert (node.module or "").startswith("flagrank.simulation"), module.name


def test_reports_ascend_in_time_within_the_days(history: History) -> None:
    hours = history.reports.hours
    assert (np.diff(hours) >= 0).all()
    assert hours[0] >= 0
    assert 24 * DAYS - 1 < hours[-1] < 24 * DAYS


def test_every_target_is_reported_and_never_before_it_is_visible(history: History) -> None:
    target = history.reports.target
    assert np.array_equal(np.unique(target), np.arange(len(history.targets)))
    assert (history.reports.hours >= history.targets.visible_at[target]).all()


def test_a_tenth_of_the_targets_is_bad_and_they_gather_more_reports(history: History) -> None:
    counts = np.bincount(history.reports.target)
    is_bad = history.targets.is_bad
    assert 0.08 < is_bad.mean() < 0.16
    assert counts[is_bad].mean() > 2 * counts[~is_bad].mean()


def test_reports_die_away_as_the_views_do(history: History) -> None:
    targets, target = history.targets, history.reports.target
    lone = ~history.reports.in_brigade & np.isinf(targets.burst_at[target]) & ~targets.is_profile[target]
    lone &= targets.visible_at[target] < 24 * (DAYS - 5)
    age = ((history.reports.hours - targets.visible_at[target]) / targets.life_hours[target])[lone]
    assert np.median(age) == pytest.approx(np.log(2), abs=0.06)
    assert (age > 2).mean() == pytest.approx(np.exp(-2), abs=0.03)


def test_brigades_attack_innocents_only_within_an_hour_under_one_reason(world: World) -> None:
    history, reports = world.history, world.history.reports
    attacked = np.unique(reports.target[reports.in_brigade])
    assert len(attacked) > 10
    assert not history.targets.is_bad[attacked].any()
    assert reports.in_brigade.mean() == pytest.approx(0.05, abs=0.015)
    assert (world.reporters.brigade[reports.reporter[reports.in_brigade]] >= 0).all()
    sizes = []
    for target in attacked:
        members = reports.in_brigade & (reports.target == target)
        sizes.append(members.sum())
        groups = world.reporters.brigade[reports.reporter[members]]
        if len(set(groups)) == 1 and len(set(reports.reason[members])) == 1:
            assert np.ptp(reports.hours[members]) <= 1.0 or len(members) > 200
    assert max(sizes) > 50


def test_an_account_of_a_brigade_attacks_more_than_once(history: History) -> None:
    reports = history.reports
    pairs = np.unique(np.column_stack([reports.reporter, reports.target])[reports.in_brigade], axis=0)
    assert np.bincount(pairs[:, 0]).max() >= 3


def test_reporters_differ_in_how_often_they_are_right(world: World) -> None:
    history = world.history
    known = history.reports.reporter != ANONYMOUS
    is_right = history.targets.is_bad[history.reports.target]
    careless = world.reporters.carelessness[history.reports.reporter] > 0.5
    alone = known & ~history.reports.in_brigade
    assert is_right[alone & ~careless].mean() > 1.5 * is_right[alone & careless].mean()


def test_a_known_share_of_reports_is_anonymous(history: History) -> None:
    alone = ~history.reports.in_brigade
    assert (history.reports.reporter[alone] == ANONYMOUS).mean() == pytest.approx(0.12, abs=0.01)


def test_reasons_on_bad_targets_are_mostly_right(world: World) -> None:
    reports, targets = world.history.reports, world.history.targets
    agrees = reports.reason == world.repute.category[reports.target]
    assert 0.72 < agrees[targets.is_bad[reports.target]].mean() < 0.85
    assert set(np.unique(reports.reason)) == set(range(len(REASONS)))


def test_the_application_knows_the_views_to_come_roughly(history: History) -> None:
    reports = history.reports
    foreseen = history.targets.foreseen_views(reports.target, reports.hours)
    counted = foreseen > 20
    wrong_by = np.log(reports.exposure[counted] / foreseen[counted])
    assert wrong_by.mean() == pytest.approx(0, abs=0.02)
    assert wrong_by.std() == pytest.approx(0.5, abs=0.02)
