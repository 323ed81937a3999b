from itertools import pairwise

import numpy as np
import pytest

from flagrank.training.split import Split, find_entities, split_by_draw, split_by_time
from flagrank.triage.errors import TrainingRefused


def _partition(numbers: np.ndarray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(numbers == number).tolist()) for number in np.unique(numbers)}


def _assert_no_entity_on_both_sides(split: Split) -> None:
    for fold in split.folds:
        assert not set(split.entities[fold.fit_rows]) & set(split.entities[fold.scored_rows])


def test_equal_rows_are_one_entity_and_nan_equals_nan() -> None:
    nan = np.nan
    other_nan = np.array([0xFFC00001], np.uint32).view(np.float32)[0]
    rows = np.array([[1, nan], [1, 2], [1, other_nan], [nan, 1], [0.0, 2], [-0.0, 2]], np.float32)
    assert _partition(find_entities(rows)) == {
        frozenset({0, 2}),
        frozenset({1}),
        frozenset({3}),
        frozenset({4, 5}),
    }


def test_groups_and_equal_rows_join_in_chains() -> None:
    rows = np.array([[0], [1], [1], [2], [2], [3]], np.float32)
    groups = np.array([7, 7, 8, 8, -1, -1])
    assert _partition(find_entities(rows, groups)) == {frozenset({0, 1, 2, 3, 4}), frozenset({5})}


def test_rows_without_a_group_are_not_joined_by_that() -> None:
    rows = np.arange(4, dtype=np.float32)[:, None]
    assert len(_partition(find_entities(rows, np.full(4, -1)))) == 4


@pytest.mark.parametrize("seed", range(20))
def test_entities_are_the_connected_components(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, 60, (120, 1)).astype(np.float32)
    groups = rng.integers(-30, 60, 120)
    root = list(range(120))

    def find(row: int) -> int:
        while root[row] != row:
            row = root[row]
        return row

    for first in range(120):
        for second in range(first):
            same_group = groups[first] == groups[second] >= 0
            if rows[first] == rows[second] or same_group:
                root[find(first)] = find(second)
    assert _partition(find_entities(rows, groups)) == _partition(np.array([find(row) for row in range(120)]))


def test_a_long_shuffled_chain_is_one_entity() -> None:
    length = 20_001
    names = np.random.default_rng(0).permutation(length)
    rows = names[np.arange(length) // 2].astype(np.float32)[:, None]
    groups = names[(np.arange(length) + 1) // 2]
    assert find_entities(rows, groups).max() == 0


def test_a_draw_scores_each_row_once_and_keeps_entities_whole() -> None:
    rng = np.random.default_rng(1)
    entities = rng.integers(0, 400, 2000)
    labels = (rng.random(2000) < 0.1).astype(np.int8)
    split = split_by_draw(entities, labels, 5, seed=4)
    _assert_no_entity_on_both_sides(split)
    assert np.array_equal(
        np.sort(np.concatenate([fold.scored_rows for fold in split.folds])), np.arange(2000)
    )
    for fold in split.folds:
        assert len(fold.fit_rows) + len(fold.scored_rows) == 2000
        assert len(fold.scored_rows) == pytest.approx(400, rel=0.1)
        assert labels[fold.scored_rows].sum() == pytest.approx(labels.sum() / 5, rel=0.2)


def test_a_draw_gives_every_fold_its_positives_even_when_they_are_few() -> None:
    labels = np.array([1] * 10 + [0] * 300, np.int8)
    split = split_by_draw(np.arange(310), labels, 5, seed=0)
    assert [labels[fold.scored_rows].sum() for fold in split.folds] == [2] * 5


def test_the_seed_makes_the_draw() -> None:
    labels = np.array([1, 0] * 100, np.int8)
    first, again, other = (split_by_draw(np.arange(200), labels, 4, seed) for seed in (1, 1, 2))
    assert np.array_equal(first.folds[0].scored_rows, again.folds[0].scored_rows)
    assert not np.array_equal(first.folds[0].scored_rows, other.folds[0].scored_rows)


def test_time_windows_expand_and_know_only_the_past() -> None:
    rng = np.random.default_rng(2)
    times = rng.integers(0, 500, 3000)
    entities = rng.integers(0, 2500, 3000)
    labels = (rng.random(3000) < 0.2).astype(np.int8)
    split = split_by_time(entities, labels, times, 5)
    assert len(split.folds) == 5
    _assert_no_entity_on_both_sides(split)
    for fold in split.folds:
        assert times[fold.fit_rows].max() < times[fold.scored_rows].min()
    for earlier, later in pairwise(split.folds):
        assert times[earlier.scored_rows].max() < times[later.scored_rows].min()
        assert len(earlier.fit_rows) < len(later.fit_rows)


def test_a_pattern_that_comes_again_and_again_is_judged_but_not_learned_from() -> None:
    times = np.arange(600)
    entities = np.where(times % 3 == 0, 0, times)
    labels = (times % 5 == 0).astype(np.int8)
    split = split_by_time(entities, labels, times, 3)
    for fold in split.folds:
        assert 0 in entities[fold.scored_rows]
        assert 0 not in entities[fold.fit_rows]


def test_windows_that_have_no_positives_before_them_are_left_out() -> None:
    times = np.arange(600)
    labels = ((times > 250) & (times % 4 == 0)).astype(np.int8)
    split = split_by_time(np.arange(600), labels, times, 5)
    assert len(split.folds) == 3
    assert split.folds[0].scored_rows[0] == 300


@pytest.mark.parametrize(
    ("positives", "negatives", "words"),
    [(0, 50, "0 positive rows of 50"), (50, 0, "0 negative rows of 50"), (9, 50, "9 positive rows of 59")],
)
def test_too_few_of_a_label_are_refused_with_the_counts(positives: int, negatives: int, words: str) -> None:
    labels = np.array([1] * positives + [0] * negatives, np.int8)
    with pytest.raises(TrainingRefused, match=words):
        split_by_draw(np.arange(len(labels)), labels, 5, seed=0)
    with pytest.raises(TrainingRefused, match=words):
        split_by_time(np.arange(len(labels)), labels, np.arange(len(labels)), 5)


def test_positives_that_are_all_alike_are_refused() -> None:
    labels = np.array([1] * 100 + [0] * 100, np.int8)
    entities = np.r_[np.zeros(100, int), 1:101]
    with pytest.raises(TrainingRefused, match="100 positive rows of 200 in 1 different entities"):
        split_by_draw(entities, labels, 5, seed=0)


def test_one_time_for_all_is_refused() -> None:
    labels = np.array([1, 0] * 50, np.int8)
    with pytest.raises(TrainingRefused, match="three stretches of time"):
        split_by_time(np.arange(100), labels, np.zeros(100, np.int64), 5)


def test_folds_beyond_the_positives_are_refused() -> None:
    labels = np.array([1] * 15 + [0] * 200, np.int8)
    with pytest.raises(TrainingRefused, match="20 are needed"):
        split_by_draw(np.arange(215), labels, 20, seed=0)
