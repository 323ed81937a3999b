"""Rules that make one chance of a case's reports, each in the same formula of expected harm."""

from functools import partial

import numpy as np
from numpy.typing import NDArray
from xgboost import XGBClassifier

from benchmarks.tables import print_rows, progress
from flagrank.replay import rankings
from flagrank.replay.cases import CaseStatistics
from flagrank.replay.engine import Decisions, Terms, play
from flagrank.replay.pooling import draw_decisions, fit_pool, measure_log_loss
from flagrank.replay.scored_history import find_groupings, score_by_draw
from flagrank.settings import load_default_policy
from flagrank.simulation.history import draw_history
from flagrank.simulation.scores import STRONG, WEAK

REPORTS = 100_000
SEEDS = (1, 2, 3)
FITTED_ON = 101
CAPACITY = 0.2
MODELS = (("strong model", STRONG), ("weak model", WEAK))
HEADER = ("chance of a case", "harm averted", "bad never seen", "log loss")


def main() -> None:
    """Fit every rule on one week, and play three others by it (five minutes)."""
    policy = load_default_policy()
    histories = {seed: draw_history(REPORTS, seed) for seed in (FITTED_ON, *SEEDS)}
    groupings = {
        seed: tuple(find_groupings(history, policy.reporters)) for seed, history in histories.items()
    }
    for model, roc_auc in MODELS:
        scored = {
            seed: score_by_draw(history, roc_auc, groupings[seed]) for seed, history in histories.items()
        }
        known = draw_decisions(scored[FITTED_ON], policy)
        unseen = draw_decisions(scored[SEEDS[0]], policy)
        fitted = fit_pool(known.cases, known.is_actioned)
        rules: dict[str, rankings.PoolRule] = {
            "highest score": rankings.highest_score,
            "naive Bayes": rankings.naive_bayes(scored[FITTED_ON].base_log_odds),
            "1 - prod(1 - p)": rankings.noisy_or,
            "logistic pool, as in the default policy": partial(rankings.pool_scores, pool=policy.pool),
            "logistic pool, fitted to this model": partial(rankings.pool_scores, pool=fitted),
            "boosted trees of eight statistics": _fit_trees(known),
        }
        rows = []
        for name, rule in rules.items():
            progress.print(f"Playing {len(SEEDS)} weeks: {model}, {name}")
            outcomes = [
                play(
                    scored[seed],
                    rankings.expected_harm(policy, rule),
                    Terms(policy, CAPACITY * len(histories[seed].targets) / histories[seed].hours),
                )
                for seed in SEEDS
            ]
            rows.append(
                (
                    name,
                    f"{np.mean([outcome.harm_averted for outcome in outcomes]):.3f}",
                    f"{np.mean([outcome.bad_never_seen for outcome in outcomes]):.3f}",
                    f"{measure_log_loss(rule(unseen.cases), unseen.is_actioned):.3f}",
                )
            )
        title = f"Pooling: {model} (ROC AUC {roc_auc}), moderators for {CAPACITY:.0%} of the cases"
        print_rows(title, HEADER, rows, "Fitted on another week; log loss on cases drawn at random.")


def _fit_trees(known: Decisions) -> rankings.PoolRule:
    trees = XGBClassifier(n_estimators=200, max_depth=4, learning_rate=0.05, min_child_weight=20, n_jobs=1)
    trees.fit(_list_statistics(known.cases), known.is_actioned)

    def pool(cases: CaseStatistics) -> NDArray[np.float64]:
        chance: NDArray[np.float64] = trees.predict_proba(_list_statistics(cases))[:, 1].astype(np.float64)
        return chance

    return pool


def _list_statistics(cases: CaseStatistics) -> NDArray[np.float64]:
    """What a case knows of its reports, (n, 8)."""
    return np.column_stack(
        [
            cases.max_log_odds,
            cases.sum_weight,
            cases.sum_record,
            cases.innocence,
            cases.n_reporters,
            cases.n_reports,
            cases.last_at - cases.opened_at,
            cases.severity,
        ]
    )
