from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagrank.triage.shadow import ShadowSummary, summarise_scores

SINCE = datetime(2026, 1, 5, tzinfo=UTC)
scores = st.floats(0.001, 0.999)


def summarise(*pairs: tuple[float, float]) -> ShadowSummary:
    return summarise_scores(3, SINCE, pairs)


def test_a_shadow_that_scores_alike_agrees() -> None:
    summary = summarise(*[(number / 100, number / 100) for number in range(1, 100)])
    assert (summary.champion_version, summary.reports, summary.since) == (3, 99, SINCE)
    assert (summary.mean_difference, summary.mean_absolute_difference) == (0, 0)
    assert summary.rank_correlation == pytest.approx(1)
    assert summary.top_agreement == 1


def test_a_shadow_that_scores_the_other_way_round_does_not() -> None:
    summary = summarise(*[(number / 100, 1 - number / 100) for number in range(1, 100)])
    assert summary.rank_correlation == pytest.approx(-1)
    assert summary.top_agreement == 0
    assert summary.mean_difference == pytest.approx(0)
    assert summary.mean_absolute_difference > 0.2


def test_where_all_scores_are_alike_there_is_no_rank_correlation() -> None:
    assert summarise((0.5, 0.1), (0.5, 0.2)).rank_correlation is None


def test_the_top_is_a_twentieth_rounded_up() -> None:
    summary = summarise(*[(number, number) for number in (0.1, 0.2, 0.3)], (0.4, 0.05))
    assert summary.top_agreement == 0


@given(st.lists(st.tuples(scores, scores), min_size=2, max_size=60, unique=True))
def test_the_correlation_is_spearmans(pairs: list[tuple[float, float]]) -> None:
    correlation = summarise(*pairs).rank_correlation
    first, second = np.array(pairs).T
    ranks = [
        np.array([(values < v).sum() + (values <= v).sum() for v in values]) for values in (first, second)
    ]
    if min(np.ptp(ranks[0]), np.ptp(ranks[1])) == 0:
        assert correlation is None
    else:
        assert correlation == pytest.approx(np.corrcoef(ranks[0], ranks[1])[0, 1], abs=1e-9)
