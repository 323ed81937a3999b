import numpy as np
import pytest

from flagrank.simulation.history import History, draw_history
from flagrank.simulation.scores import STRONG, WEAK, draw_log_odds, prior_log_odds


@pytest.fixture(scope="module")
def history() -> History:
    return draw_history(60_000, seed=6)


@pytest.mark.parametrize("roc_auc", [STRONG, WEAK])
def test_a_score_is_as_good_as_asked_for(history: History, roc_auc: float) -> None:
    log_odds = draw_log_odds(history, roc_auc)
    is_bad = history.targets.is_bad[history.reports.target]
    ranks = np.argsort(np.argsort(log_odds))[is_bad]
    positives = is_bad.sum()
    pairs = ranks.sum() - positives * (positives - 1) / 2
    assert pairs / positives / (~is_bad).sum() == pytest.approx(roc_auc, abs=0.015)


@pytest.mark.parametrize("roc_auc", [STRONG, WEAK])
def test_a_score_is_calibrated(history: History, roc_auc: float) -> None:
    chance = 1 / (1 + np.exp(-draw_log_odds(history, roc_auc)))
    is_bad = history.targets.is_bad[history.reports.target]
    for members in np.array_split(np.argsort(chance), 10):
        # Reports on one target share a part of their noise: ten bins are looser than as many coins.
        assert is_bad[members].mean() == pytest.approx(chance[members].mean(), abs=0.05)


def test_scores_of_one_target_agree_more_than_those_of_two(history: History) -> None:
    log_odds, target = draw_log_odds(history, WEAK), history.reports.target
    order = np.lexsort((np.arange(len(target)), target))
    same = (target[order][1:] == target[order][:-1]) & ~history.targets.is_bad[target[order][1:]]
    pairs = np.corrcoef(log_odds[order][1:][same], log_odds[order][:-1][same])[0, 1]
    assert 0.1 < pairs < 0.4


def test_the_history_is_the_same_whatever_model_looks_at_it(history: History) -> None:
    one, again, other = (draw_log_odds(history, WEAK, seed) for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_the_prior_is_the_share_of_actionable_reports(history: History) -> None:
    share = history.targets.is_bad[history.reports.target].mean()
    assert 1 / (1 + np.exp(-prior_log_odds(history))) == pytest.approx(share, abs=1e-4)
