"""The review queue: what each ranking averts of the harm that could be averted, on a simulated week."""

from benchmarks.tables import print_rows, progress
from flagrank.replay.comparison import compare, fit_on
from flagrank.simulation.history import draw_history
from flagrank.simulation.scores import STRONG, WEAK, draw_log_odds

REPORTS = 100_000
SEED, FITTED_ON = 1, 101
CAPACITIES = (0.2, 0.5)
MODELS = (("strong model", STRONG), ("weak model", WEAK))
HEADER = ("ranking", "harm averted", "bad never seen", "wait of the bad, median", "nine in ten")


def main() -> None:
    """Play one history through every ranking, for two models and two capacities (a minute)."""
    history, earlier = draw_history(REPORTS, SEED), draw_history(REPORTS, FITTED_ON)
    for model, roc_auc in MODELS:
        log_odds = draw_log_odds(history, roc_auc)
        pool = fit_on(earlier, draw_log_odds(earlier, roc_auc))
        for capacity in CAPACITIES:
            progress.print(f"Playing {len(history.targets):,} cases: {model}, {capacity:.0%} of them decided")
            rows = [
                (
                    line.ranking + ("" if line.exposure_is_sent else ", exposure never sent"),
                    f"{line.outcome.harm_averted:.3f}",
                    f"{line.outcome.bad_never_seen:.3f}",
                    f"{line.outcome.wait_of_bad_median:.1f} h",
                    f"{line.outcome.wait_of_bad_p90:.1f} h",
                )
                for line in compare(history, log_odds, pool, capacity)
            ]
            title = f"Review: {model} (ROC AUC {roc_auc}), moderators for {capacity:.0%} of the cases"
            print_rows(title, HEADER, rows, f"Coefficients fitted on another week: {pool}.")
