import numpy as np
import pytest
from xgboost import Booster

from flagrank.training.calibration import apply_calibration
from flagrank.training.fitting import Fitted, choose_rounds, fit_model
from flagrank.training.metrics import measure
from flagrank.training.split import Split, find_entities, split_by_draw, split_by_time
from flagrank.training.trees import TreeLearner, Trees

LEARNER = TreeLearner()


def _make_rows(rows: int, seed: int = 0, strength: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return features, labels and the chances that the labels were drawn by."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(rows, 5)).astype(np.float32)
    features[rng.random(features.shape) < 0.1] = np.nan
    known = np.nan_to_num(features, nan=0.5)
    log_odds = strength * (known[:, 0] + np.abs(known[:, 1]) - (known[:, 2] > 0)) - 2.5
    chance = 1 / (1 + np.exp(-log_odds))
    return features, (rng.random(rows) < chance).astype(np.int8), chance


def _fit(
    features: np.ndarray, labels: np.ndarray, *, threads: int = 2, folds: int = 4
) -> tuple[Fitted, Split]:
    split = split_by_draw(find_entities(features), labels, folds, seed=1)
    return fit_model(LEARNER, (features, labels), split, seed=1, threads=threads), split


def _find_booster(fitted: Fitted) -> Booster:
    assert isinstance(fitted.model, Trees)
    return fitted.model.classifier.get_booster()


def test_the_final_model_has_the_chosen_rounds_and_a_curve_for_each_fold() -> None:
    features, labels, _ = _make_rows(800)
    fitted, _ = _fit(features, labels)
    assert _find_booster(fitted).num_boosted_rounds() == fitted.rounds
    assert fitted.curves.shape == (4, LEARNER.most_rounds)
    assert fitted.rounds == np.argmin(fitted.curves.mean(axis=0)) + 1
    assert 1 < fitted.rounds < LEARNER.most_rounds


def test_the_number_of_threads_changes_no_byte() -> None:
    features, labels, _ = _make_rows(600)
    one, _ = _fit(features, labels, threads=1)
    many, _ = _fit(features, labels, threads=4)
    assert _find_booster(one).save_raw() == _find_booster(many).save_raw()
    assert one.scores.tobytes() == many.scores.tobytes()
    assert one.calibration == many.calibration


def test_scores_come_near_the_best_possible_and_are_calibrated() -> None:
    features, labels, chance = _make_rows(12_000)
    fitted, _ = _fit(features, labels)
    reached = measure(labels, fitted.scores, seed=0)
    best = measure(labels, chance, seed=0)
    assert reached.roc_auc.value == pytest.approx(best.roc_auc.value, abs=0.015)
    assert reached.calibration_error.value is not None
    assert reached.calibration_error.value <= 0.02
    fresh, fresh_labels, fresh_chance = _make_rows(12_000, seed=8)
    scores = apply_calibration(fitted.calibration, fitted.model.predict_margins(fresh))
    seen = measure(fresh_labels, scores, seed=0)
    assert seen.roc_auc.value == pytest.approx(
        measure(fresh_labels, fresh_chance, seed=0).roc_auc.value, abs=0.015
    )
    assert seen.calibration_error.value is not None
    assert seen.calibration_error.value <= 0.02


def test_labels_that_copies_of_rows_would_betray_stay_unknown() -> None:
    rng = np.random.default_rng(4)
    unique = rng.normal(size=(150, 3)).astype(np.float32)
    features = np.repeat(unique, 6, axis=0)
    labels = np.repeat((rng.random(150) < 0.3).astype(np.int8), 6)
    fitted, split = _fit(features, labels)
    reached = measure(labels, fitted.scores, seed=0, entities=split.entities).roc_auc.value
    assert reached is not None
    assert reached < 0.65


def test_labels_without_signal_give_the_base_rate_and_still_rise() -> None:
    rng = np.random.default_rng(6)
    features = rng.normal(size=(1500, 4)).astype(np.float32)
    labels = (rng.random(1500) < 0.2).astype(np.int8)
    fitted, _ = _fit(features, labels)
    assert fitted.calibration.slope > 0
    assert fitted.scores.mean() == pytest.approx(labels.mean(), abs=0.01)
    assert fitted.scores.std() < 0.06


def test_constant_and_null_columns_change_nothing() -> None:
    features, labels, _ = _make_rows(500)
    empty = np.full((500, 1), np.nan, np.float32)
    padded = np.hstack([features, np.ones((500, 1), np.float32), empty])
    plain, _ = _fit(features, labels)
    fitted, _ = _fit(padded, labels)
    assert not np.isnan(fitted.scores).any()
    assert fitted.scores == pytest.approx(plain.scores)


def test_nothing_but_constant_and_null_columns_gives_the_base_rate() -> None:
    features = np.hstack([np.ones((200, 1)), np.full((200, 1), np.nan)]).astype(np.float32)
    labels = np.array([1] * 40 + [0] * 160, np.int8)
    split = split_by_draw(np.arange(200), labels, 4, seed=0)
    fitted = fit_model(LEARNER, (features, labels), split, seed=0, threads=1)
    assert fitted.scores == pytest.approx(np.full(200, 0.2), abs=0.02)


def test_ten_positives_are_enough_for_a_model() -> None:
    features, _, chance = _make_rows(60)
    labels = np.zeros(60, np.int8)
    labels[np.argsort(-chance)[:10]] = 1
    fitted, _ = _fit(features, labels, folds=5)
    assert ((fitted.scores > 0) & (fitted.scores < 1)).all()


def test_no_score_in_time_knows_a_later_label() -> None:
    features, labels, _ = _make_rows(1200)
    times = np.arange(1200)
    split = split_by_time(find_entities(features), labels, times, 4)
    later = split.folds[2].scored_rows[0]
    changed = labels.copy()
    changed[later:] = 1 - changed[later:]
    before = fit_model(LEARNER, (features, labels), split, seed=0, threads=2)
    after = fit_model(LEARNER, (features, changed), split, seed=0, threads=2)
    assert np.array_equal(before.scores[:later], after.scores[:later], equal_nan=True)
    assert not np.array_equal(before.scores[later:], after.scores[later:])


def test_the_first_window_in_time_calibrates_the_next_and_has_no_scores() -> None:
    features, labels, _ = _make_rows(1200)
    split = split_by_time(find_entities(features), labels, np.arange(1200), 3)
    fitted = fit_model(LEARNER, (features, labels), split, seed=0, threads=2)
    assert np.flatnonzero(np.isnan(fitted.margins)).tolist() == list(range(300))
    assert np.flatnonzero(np.isnan(fitted.scores)).tolist() == list(range(600))


def test_progress_counts_every_tree_up_to_the_end() -> None:
    features, labels, _ = _make_rows(300)
    split = split_by_draw(find_entities(features), labels, 3, seed=0)
    told: list[tuple[int, int]] = []
    fitted = fit_model(
        LEARNER,
        (features, labels),
        split,
        seed=0,
        threads=2,
        on_progress=lambda grown, of: told.append((grown, of)),
    )
    trees = 3 * LEARNER.most_rounds + fitted.rounds
    assert [grown for grown, _ in told] == list(range(1, trees + 1))
    assert told[-1] == (trees, trees)


def test_rounds_are_those_of_the_least_loss_by_rows_judged() -> None:
    curves = np.array([[3.0, 1.0, 2.0], [3.0, 2.0, 1.0]])
    assert choose_rounds(curves, np.array([10, 1])) == 2
    assert choose_rounds(curves, np.array([1, 10])) == 3
