"""The blind slice: in how many simulated weeks its intervals hold the truth, at several loads."""

from math import isnan
from statistics import fmean

from benchmarks.tables import print_rows, progress
from flagrank.replay.blind_slice import PlayedWeek, play_week
from flagrank.settings import load_default_policy

WEEKS = 200
CASES = 2_000  # a week
LOADS = (0.5, 0.9, 1.2, 2.0)
SHARES = ("prevalence", "precision", "recall")
HEADER = ("load", "share", "truth", "slice", "holds", "width", "queue")


def main() -> None:
    """Play so many weeks at each load (two minutes)."""
    rows = []
    for load in LOADS:
        progress.print(f"Playing {WEEKS} weeks at a load of {load}")
        weeks = [play_week(seed, load, CASES, load_default_policy().draws) for seed in range(WEEKS)]
        rows += [(f"{load}", share, *_measure(weeks, share)) for share in SHARES]
    print_rows(
        f"Blind slice: {WEEKS} weeks of {CASES:,} cases at each load (arrivals / what can be decided)",
        HEADER,
        rows,
        "holds: weeks whose 95 % interval holds the truth; width: of it. queue: the prevalence that a sample "
        "of the cases waiting in the queue would tell instead.",
    )


def _measure(weeks: list[PlayedWeek], share: str) -> tuple[str, ...]:
    """Means over the weeks in which the slice said anything, and in how many of all it was right."""
    pairs = [
        (getattr(week, share), estimate) for week in weeks if (estimate := getattr(week.estimates, share))
    ]
    held = sum(estimate.low <= truth <= estimate.high for truth, estimate in pairs)
    waiting = [week.uniform_prevalence for week in weeks if not isnan(week.uniform_prevalence)]
    return (
        f"{fmean(truth for truth, _ in pairs):.3f}",
        f"{fmean(estimate.share for _, estimate in pairs):.3f}",
        f"{held / len(weeks):.1%}",
        f"{fmean(estimate.high - estimate.low for _, estimate in pairs):.3f}",
        f"{fmean(waiting):.3f}" if waiting and share == "prevalence" else "",
    )
