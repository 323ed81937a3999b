"""The numbers that the processes of one server count together, in a file of its folder."""

from pathlib import Path

from flagrank.scoring.drift import DriftWatch, create_drift_file
from flagrank.telemetry import Metrics, Slots, create_slots_file

FILE = "counts"
DRIFT_FILE = "drift"
# What requests are counted by; `/task/` is one task, `/case/` all about one case, anything else another.
ROUTES = (
    *("/prediction", "/predict", "/task", "/task/", "/model", "/policy", "/metrics"),
    *("/queue", "/queue/lease", "/queue/heartbeat", "/queue/release", "/case/"),
    *("/heartbeat", "/livez", "/readyz", "/docs", "/openapi.json"),
)


def create_counts(folder: Path, processes: int) -> None:
    """Make the files for so many processes."""
    create_slots_file(folder / FILE, processes)
    create_drift_file(folder / DRIFT_FILE, processes)


def open_metrics(folder: Path, row: int) -> Metrics:
    """What one process counts, from 0 in the row that is its own."""
    return Metrics(Slots(folder / FILE, row), ROUTES)


def open_drift(folder: Path, row: int) -> DriftWatch:
    """The drift of what one process scores, counted beside that of the others."""
    return DriftWatch(folder / DRIFT_FILE, row)
