"""The review queue: what each ranking averts of the harm that could be averted, on a simulated week."""

from benchmarks.tables import print_rows, progress
from flagrank.replay.comparison import compare
from flagrank.replay.scored_history import find_groupings, score_by_draw
from flagrank.settings import load_default_policy
from flagrank.simulation.history import draw_history
from flagrank.simulation.scores import STRONG, WEAK

REPORTS = 100_000
SEED = 1
CAPACITIES = (0.2, 0.5)
MODELS = (("strong model", STRONG), ("weak model", WEAK))
HEADER = ("ranking", "harm averted", "bad never seen", "wait of the bad, p50", "p95")


def main() -> None:
    """Play one history through every ranking, for two models and two capacities (a minute and a half)."""
    policy, history = load_default_policy(), draw_history(REPORTS, SEED)
    groupings = tuple(find_groupings(history, policy.reporters))
    for model, roc_auc in MODELS:
        scored = score_by_draw(history, roc_auc, groupings)
        for capacity in CAPACITIES:
            progress.print(f"Playing {len(history.targets):,} cases: {model}, {capacity:.0%} of them decided")
            rows = [
                (
                    line.ranking,
                    f"{line.outcome.harm_averted:.3f}",
                    f"{line.outcome.bad_never_seen:.3f}",
                    f"{line.outcome.wait_of_bad(0.5):.1f} h",
                    f"{line.outcome.wait_of_bad(0.95):.1f} h",
                )
                for line in compare(model, scored, policy, capacity * len(history.targets) / history.hours)
            ]
            title = f"Review: {model} (ROC AUC {roc_auc}), moderators for {capacity:.0%} of the cases"
            print_rows(title, HEADER, rows, f"Ranked by {policy.label}; the waits are of what was seen.")
