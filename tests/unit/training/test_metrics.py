import msgspec
import numpy as np
import pytest
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

from flagrank.training.metrics import Measure, measure


def _draw(rows: int, seed: int = 0, decimals: int = 15) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    chance = rng.beta(0.6, 4, rows)
    return (rng.random(rows) < chance).astype(np.int8), np.round(chance, decimals)


@pytest.mark.parametrize("decimals", [15, 2, 1])
@pytest.mark.parametrize("rows", [37, 2000])
def test_values_are_those_of_scikit_learn_also_with_ties(rows: int, decimals: int) -> None:
    labels, scores = _draw(rows, seed=5, decimals=decimals)
    metrics = measure(labels, scores, seed=0)
    assert metrics.roc_auc.value == pytest.approx(roc_auc_score(labels, scores), abs=1e-9)
    assert metrics.average_precision.value == pytest.approx(average_precision_score(labels, scores), abs=1e-9)
    assert metrics.log_loss.value == pytest.approx(log_loss(labels, scores), abs=1e-9)
    assert metrics.rows.value == rows
    assert metrics.positives.value == labels.sum()


def test_shares_of_the_top_are_counted_by_hand() -> None:
    scores = np.linspace(0.99, 0.01, 40)
    labels = np.zeros(40, np.int8)
    labels[[0, 3, 6, 9, 30]] = 1
    metrics = measure(labels, scores, seed=0)
    assert metrics.precision_at_5_percent.value == 0.5  # 2 rows, one positive
    assert metrics.lift_at_5_percent.value == 4  # of a base rate of 1 in 8
    assert metrics.recall_at_20_percent.value == 0.6  # 8 rows, 3 of 5
    assert metrics.filter_rate_at_recall_75.value == 0.75  # the fourth positive is row 10


def test_k_is_rounded_up() -> None:
    labels = np.array([1, 1] + [0] * 19, np.int8)
    metrics = measure(labels, np.linspace(0.9, 0.1, 21), seed=0)
    assert metrics.precision_at_5_percent.value == 1  # 2 of 21 rows, both positive
    whole = np.array([1] * 8 + [0] * 132, np.int8)
    assert measure(whole, np.linspace(0.9, 0.1, 140), seed=0).lift_at_5_percent.value == pytest.approx(
        140 / 8
    )
    assert measure(whole[::-1], np.linspace(0.9, 0.1, 140), seed=0).precision_at_5_percent.value == 0


def test_calibration_error_is_the_mean_gap_of_ten_equal_bins() -> None:
    scores = np.array([0.05, 0.05, 0.15, 0.15, 1.0, 1.0, 0.95, 0.95])
    labels = np.array([0, 0, 1, 0, 1, 1, 1, 0], np.int8)
    gaps = [0.1, 0.7, 0.9]  # |sum of label - score| in bins 0, 1 and 9
    assert measure(labels, scores, seed=0).calibration_error.value == pytest.approx(sum(gaps) / 8)


def test_rows_that_tie_with_the_threshold_are_not_filtered() -> None:
    labels = np.array([1, 1, 0, 1, 0, 0, 1, 0], np.int8)
    scores = np.array([0.9, 0.8, 0.8, 0.7, 0.7, 0.7, 0.2, 0.1])
    assert measure(labels, scores, seed=0).filter_rate_at_recall_75.value == 0.25


def test_ties_are_broken_at_random_by_seed() -> None:
    labels = np.array([1] * 50 + [0] * 950, np.int8)
    scores = np.full(1000, 0.05)
    found = [measure(labels, scores, seed=seed).precision_at_5_percent.value for seed in range(10)]
    assert found[0] == measure(labels, scores, seed=0).precision_at_5_percent.value
    assert len(set(found)) > 2
    assert np.mean([value for value in found if value is not None]) == pytest.approx(0.05, abs=0.03)


@pytest.mark.parametrize("decimals", [15, 1])
def test_intervals_hold_the_value(decimals: int) -> None:
    labels, scores = _draw(1500, decimals=decimals)
    for interval in msgspec.structs.asdict(measure(labels, scores, seed=3)).values():
        assert interval.low <= interval.value <= interval.high


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    truth = roc_auc_score(*_draw(400_000, seed=99))
    held = 0
    for seed in range(30):
        interval = measure(*_draw(400, seed=seed), seed=seed).roc_auc
        assert interval.low is not None
        assert interval.high is not None
        held += interval.low <= truth <= interval.high
    assert held >= 25


def test_intervals_of_whole_entities_are_wider() -> None:
    labels, scores = _draw(300, seed=1)
    copied, copies = np.repeat(labels, 20), np.repeat(scores, 20)
    entities = np.repeat(np.arange(300) * 7, 20)
    single = measure(labels, scores, seed=2).log_loss
    whole = measure(copied, copies, seed=2, entities=entities).log_loss
    rows = measure(copied, copies, seed=2).log_loss
    assert whole.value == pytest.approx(single.value)
    assert _width(whole) == pytest.approx(_width(single), rel=0.15)
    assert _width(rows) < _width(single) / 3


def _width(interval: Measure) -> float:
    assert interval.low is not None
    assert interval.high is not None
    return interval.high - interval.low


def test_the_seed_makes_the_intervals() -> None:
    labels, scores = _draw(200)
    assert measure(labels, scores, seed=1) == measure(labels, scores, seed=1)
    assert measure(labels, scores, seed=1).roc_auc.low != measure(labels, scores, seed=2).roc_auc.low


def test_without_positives_what_needs_them_is_null_and_says_why() -> None:
    found = msgspec.to_builtins(measure(np.zeros(20, np.int8), np.linspace(0.1, 0.9, 20), seed=0))
    nothing = {"value": None, "low": None, "high": None, "why": "There are no positives among the 20 rows."}
    undefined = {name for name, interval in found.items() if interval == nothing}
    assert undefined == {
        "roc_auc",
        "average_precision",
        "lift_at_5_percent",
        "recall_at_20_percent",
        "filter_rate_at_recall_75",
    }
    assert found["precision_at_5_percent"] == {"value": 0.0, "low": 0.0, "high": 0.0}


def test_without_negatives_only_the_area_is_undefined() -> None:
    found = msgspec.to_builtins(measure(np.ones(20, np.int8), np.linspace(0.1, 0.9, 20), seed=0))
    assert {name for name, interval in found.items() if interval["value"] is None} == {"roc_auc"}
    assert found["roc_auc"]["why"] == "There are no negatives among the 20 rows."


def test_certain_and_wrong_scores_have_a_finite_loss() -> None:
    loss = measure(np.array([1, 0], np.int8), np.array([0.0, 1.0]), seed=0).log_loss.value
    assert loss == pytest.approx(-np.log(np.finfo(float).eps))


def test_names_and_order_are_those_of_the_command_line() -> None:
    found = msgspec.to_builtins(measure(*_draw(50), seed=0))
    assert list(found) == [
        "rows",
        "positives",
        "roc_auc",
        "average_precision",
        "log_loss",
        "calibration_error",
        "lift_at_5_percent",
        "precision_at_5_percent",
        "recall_at_20_percent",
        "filter_rate_at_recall_75",
    ]
    assert list(found["roc_auc"]) == ["value", "low", "high"]
