from itertools import pairwise

import numpy as np
import pytest

from flagrank.training.curves import DEPTHS, bin_by_count, bin_by_width, cut_ranking, trace_ranking
from flagrank.training.metrics import Measure, measure


def test_bins_of_equal_width_hold_each_row_once() -> None:
    scores = np.array([0.0, 0.05, 0.1, 0.55, 0.999, 1.0])
    labels = np.array([0, 1, 0, 1, 1, 1], np.int8)
    bins = bin_by_width(labels, scores, np.arange(6))
    assert [(one.lowest, one.highest, one.rows, one.positives) for one in bins] == [
        (0.0, 0.1, 2, 1),
        (0.1, 0.2, 1, 0),
        (0.5, 0.6, 1, 1),
        (0.9, 1.0, 2, 2),
    ]
    assert bins[0].mean_score == pytest.approx(0.025)


def test_bins_of_equal_count_hold_a_tenth_of_the_rows() -> None:
    scores = np.random.default_rng(0).permutation(np.linspace(0.01, 0.02, 1000))
    bins = bin_by_count(np.zeros(1000, np.int8), scores, np.arange(1000))
    assert [one.rows for one in bins] == [100] * 10
    assert all(left.highest < right.lowest for left, right in pairwise(bins))


def test_equal_scores_share_a_bin() -> None:
    scores = np.repeat([0.1, 0.2, 0.3], [450, 450, 100])
    bins = bin_by_count(np.zeros(1000, np.int8), scores, np.arange(1000))
    assert [(one.lowest, one.highest, one.rows) for one in bins] == [
        (0.1, 0.1, 450),
        (0.2, 0.2, 450),
        (0.3, 0.3, 100),
    ]


def test_the_interval_of_a_share_is_wilsons() -> None:
    # Newcombe, Statistics in Medicine 17 (1998), table I: 81 of 263, and 0 of 20.
    labels = np.repeat(np.array([1, 0], np.int8), [81, 182])
    (one,) = bin_by_width(labels, np.full(263, 0.35), np.arange(263))
    assert (one.share.low, one.share.high) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    (none,) = bin_by_width(np.zeros(20, np.int8), np.full(20, 0.35), np.arange(20))
    assert (none.share.low, none.share.high) == pytest.approx((0.0, 0.1611), abs=5e-5)


@pytest.mark.parametrize("positives", [0, 30])
def test_rows_of_one_entity_count_as_one(positives: int) -> None:
    labels = np.repeat(np.array([1, 0], np.int8), [positives, 100 - positives])
    (one,) = bin_by_width(labels, np.full(100, 0.35), np.arange(100))
    (repeated,) = bin_by_width(np.repeat(labels, 9), np.full(900, 0.35), np.repeat(np.arange(100), 9))
    assert repeated.rows == 900
    assert (repeated.share.low, repeated.share.high) == pytest.approx((one.share.low, one.share.high))


@pytest.mark.parametrize("rows_of_an_entity", [1, 3])
def test_depths_are_those_of_the_metrics_where_scores_tie(rows_of_an_entity: int) -> None:
    random = np.random.default_rng(1)
    scores = np.round(random.beta(1, 9, 900), 2)
    labels = (random.random(900) < scores).astype(np.int8)
    entities = np.arange(900) // rows_of_an_entity
    metrics = measure(labels, scores, seed=3, entities=entities)
    ranking = trace_ranking(labels, scores, entities, 3)
    assert ranking is not None
    depths = dict(zip(DEPTHS, cut_ranking(ranking, scores), strict=True))
    assert _as_measured(metrics.precision_at_5_percent) == pytest.approx(
        (depths[0.05].precision.value, depths[0.05].precision.low, depths[0.05].precision.high)
    )
    assert _as_measured(metrics.recall_at_20_percent) == pytest.approx(
        (depths[0.2].recall.value, depths[0.2].recall.low, depths[0.2].recall.high)
    )
    assert metrics.lift_at_5_percent.value == pytest.approx(depths[0.05].lift)


def _as_measured(one: Measure) -> tuple[float | None, float | None, float | None]:
    return one.value, one.low, one.high


def test_a_perfect_order_finds_all_positives_first() -> None:
    labels = np.repeat(np.array([1, 0], np.int8), [50, 950])
    ranking = trace_ranking(labels, np.linspace(0.9, 0.1, 1000), np.arange(1000), 0)
    assert ranking is not None
    assert ranking.found.value == pytest.approx(
        np.minimum(np.ceil(np.round(ranking.shares * 1000, 6)) / 50, 1)
    )
    assert ranking.precision.value == pytest.approx(1.0)


def test_equal_scores_reach_a_recall_together() -> None:
    labels = np.array([1, 0, 0, 0, 1, 0, 0, 0], np.int8)
    ranking = trace_ranking(labels, np.repeat([0.9, 0.1], 4), np.arange(8), 0)
    assert ranking is not None
    assert ranking.precision.value == pytest.approx(0.25)


def test_without_positives_there_is_no_ranking() -> None:
    assert trace_ranking(np.zeros(5, np.int8), np.linspace(0, 1, 5), np.arange(5), 0) is None
