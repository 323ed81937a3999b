from typing import Any

import pytest

from flagrank.console.model_figures import Figure, read_figure

SPACE = "\N{NO-BREAK SPACE}"


def test_a_metric_is_shown_with_its_interval() -> None:
    metrics = {"roc_auc": {"value": 0.86752, "low": 0.8599, "high": 0.87541}}
    assert read_figure(metrics, "roc_auc") == Figure("0.8675", f"0.8599{SPACE}to{SPACE}0.8754")


def test_rows_are_counted_without_an_interval() -> None:
    assert read_figure({"rows": {"value": 20000, "low": 20000, "high": 20000}}, "rows") == Figure("20,000")


def test_why_a_metric_is_undefined_is_said() -> None:
    metrics = {"roc_auc": {"value": None, "low": None, "high": None, "why": "There are no positives."}}
    assert read_figure(metrics, "roc_auc") == Figure("none", "There are no positives")


@pytest.mark.parametrize(
    "stated",
    [None, 0.9, "0.9", [], {}, {"value": "<b>"}, {"value": True}, {"value": [1]}, {"value": 1, "low": "x"}],
)
def test_what_is_no_metric_is_none(stated: Any) -> None:  # noqa: ANN401 - whatever a package holds
    assert read_figure({"roc_auc": stated}, "roc_auc") == Figure("none")
    assert read_figure({}, "roc_auc") == Figure("none")


@pytest.mark.parametrize("value", [10**30, -1e300, 1e308])
def test_no_number_is_long(value: float) -> None:
    for name in ("roc_auc", "rows"):
        stated = {name: {"value": value, "low": value, "high": value}}
        figure = read_figure(stated, name)
        assert len(figure.value) <= 12
        assert len(figure.note) <= 30
