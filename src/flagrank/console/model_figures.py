"""What a package says of its model, which may be anything, as figures of a page."""

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from flagrank.triage.errors import shorten

LABELS = {
    "roc_auc": "ROC AUC",
    "average_precision": "Average precision",
    "log_loss": "Log loss",
    "calibration_error": "Calibration error",
    "lift_at_5_percent": "Lift at 5\N{NO-BREAK SPACE}%",
    "precision_at_5_percent": "Precision at 5\N{NO-BREAK SPACE}%",
    "recall_at_20_percent": "Recall at 20\N{NO-BREAK SPACE}%",
    "filter_rate_at_recall_75": "Filter rate at recall 75\N{NO-BREAK SPACE}%",
    "rows": "Held-out rows",
    "positives": "Positives among them",
}
LISTED = ("roc_auc", "average_precision", "log_loss", "calibration_error", "lift_at_5_percent")
_COUNTS = frozenset({"rows", "positives"})


class Figure(msgspec.Struct, frozen=True):
    """A metric as it is shown; its `note` is the interval, or why there is no value."""

    value: str
    note: str = ""


class _Measured(msgspec.Struct):
    value: float | None = None
    low: float | None = None
    high: float | None = None
    why: str = ""


def read_figure(metrics: Mapping[str, Any], name: str) -> Figure:
    """The metric of this name, one of `LABELS`."""
    try:
        measured = msgspec.convert(metrics.get(name), _Measured)
    except msgspec.ValidationError:
        measured = _Measured()
    if measured.value is None or not math.isfinite(measured.value):
        return Figure("none", shorten(measured.why) if measured.why else "")
    if name in _COUNTS:
        return Figure(f"{measured.value:,.0f}" if abs(measured.value) < 1e15 else f"{measured.value:.4g}")
    if measured.low is None or measured.high is None:
        return Figure(_show(measured.value))
    interval = "\N{NO-BREAK SPACE}".join((_show(measured.low), "to", _show(measured.high)))
    return Figure(_show(measured.value), interval)


def _show(value: float) -> str:
    return f"{value:.4f}" if abs(value) < 1e6 else f"{value:.4g}"
