import numpy as np
import pytest

from flagrank.training.curves import DEPTHS, cut_ranking, trace_ranking
from flagrank.training.metrics import Measure, measure


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
