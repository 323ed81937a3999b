"""Which rows a fit may see and which it is judged on: whole entities, by a seeded draw or by time."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from flagrank.triage.errors import TrainingRefused

FEWEST_ENTITIES = 10
"""Fewer entities with a label than this tell nothing that a check on unseen rows would confirm."""


class Fold(msgspec.Struct, frozen=True):
    """One fit and its judgement: row numbers, ascending; no entity has rows in both."""

    fit_rows: NDArray[np.intp]
    scored_rows: NDArray[np.intp]


class Split(msgspec.Struct, frozen=True):
    """Folds over all rows, and the entity of each row: (n,) int, 0 .. m - 1."""

    folds: tuple[Fold, ...]
    entities: NDArray[np.intp]


def find_entities(
    features: NDArray[np.float32], groups: NDArray[np.integer] | None = None
) -> NDArray[np.intp]:
    """Number the entities: rows equal in every feature, or of one group, are one entity, and so on in chains.

    `features` is (n, f); NaN equals NaN and 0 equals -0. `groups` is (n,), any integers; a negative one is no
    group. Returns (n,) numbers from 0, in no order to rely on. 10^6 rows take seconds.
    """
    patterns = _number_equal_rows(features)
    if groups is None:
        return patterns
    # A row without a group has one of its own, so that nothing joins it but its equals.
    alone = groups < 0
    own = np.where(alone, np.arange(len(groups)), groups.astype(np.int64) + len(groups))
    _, numbers = np.unique(own, return_inverse=True)
    joined = _join(patterns, numbers)
    _, entities = np.unique(joined[patterns], return_inverse=True)
    return entities


def split_by_draw(entities: NDArray[np.intp], labels: NDArray[np.int8], folds: int, seed: int) -> Split:
    """Deal whole entities into `folds` (>= 2) equal parts, each judged by a fit on the others.

    Entities are dealt in the order of their positives, then of their rows, then of a seeded draw, to and fro
    like cards (0 1 2 2 1 0): so every part gets its share of positives, large entities and rows.
    Raises TrainingRefused where labels or entities are too few.
    """
    _refuse_hopeless(entities, labels, folds)
    rows = np.bincount(entities)
    positives = np.bincount(entities, labels)
    draw = np.random.default_rng(seed).random(len(rows))
    order = np.lexsort((draw, -rows, -positives))
    part_of_entity = np.empty(len(rows), np.intp)
    part_of_entity[order] = np.resize(np.r_[0:folds, folds - 1 : -1 : -1], len(rows))
    part = part_of_entity[entities]
    made = tuple(Fold(np.flatnonzero(part != k), np.flatnonzero(part == k)) for k in range(folds))
    _refuse_one_sided(made, labels)
    return Split(made, entities)


def split_by_time(
    entities: NDArray[np.intp],
    labels: NDArray[np.int8],
    times: NDArray[np.int64],
    folds: int,
) -> Split:
    """Cut time into `folds` + 1 (>= 3) blocks of about equal rows; fit on the earlier, judge on the next.

    A row is judged in the block of its own time, and a fit sees only strictly earlier rows: equal times are
    never cut. Of those, it does not see the rows of any entity that comes again in the block it is judged
    on. (To move such an entity to the block of its latest row would keep it on one side too, but would
    judge old rows by fits that know the future, and would gather every common pattern in the last block.)
    The first block is never judged, nor is one whose fit would lack positives or negatives.

    `times` is (n,), any unit. Raises TrainingRefused where labels, entities or windows are too few.
    """
    _refuse_hopeless(entities, labels, folds)
    ordered = np.sort(times)
    starts = np.unique(ordered[[len(times) * block // (folds + 1) for block in range(1, folds + 1)]])
    block = np.searchsorted(starts, times, side="right")
    made = []
    for window in range(1, len(starts) + 1):
        scored = block == window
        comes_again = np.zeros(entities.max() + 1, bool)
        comes_again[entities[scored]] = True
        fold = Fold(np.flatnonzero((block < window) & ~comes_again[entities]), np.flatnonzero(scored))
        if len(fold.scored_rows) and 0 < labels[fold.fit_rows].sum() < len(fold.fit_rows):
            made.append(fold)
    if len(made) < 2:
        raise TrainingRefused(
            "The rows can't be cut into three stretches of time where each later one has positives and "
            "negatives of other entities before it. Give rows of more times, or leave out --time or --group."
        )
    return Split(tuple(made), entities)


def _number_equal_rows(features: NDArray[np.float32]) -> NDArray[np.intp]:
    numbers = np.zeros(len(features), np.intp)
    for column in features.T:
        tidy = np.where(np.isnan(column), np.float32(np.nan), column + np.float32(0))  # one NaN, one zero
        keys = (numbers.astype(np.uint64) << np.uint64(32)) | tidy.view(np.uint32)
        _, numbers = np.unique(keys, return_inverse=True)
    return numbers


def _join(left: NDArray[np.intp], right: NDArray[np.intp]) -> NDArray[np.intp]:
    """Union-find over the pairs (left, right), all at once: the smallest left number each left is tied to.

    Hooking and shortcutting in turns (Zhang, Azad and Hu, FastSV, 2020): chains halve in every turn.
    """
    root = np.arange(left.max() + 1)
    while True:
        smallest = np.full(right.max() + 1, len(root))
        np.minimum.at(smallest, right, root[left])
        reached = root.copy()
        np.minimum.at(reached, left, smallest[right])
        np.minimum.at(reached, root[left], smallest[right])
        reached = reached[reached]
        if np.array_equal(reached, root):
            return root
        root = reached


def _refuse_hopeless(entities: NDArray[np.intp], labels: NDArray[np.int8], folds: int) -> None:
    needed = max(FEWEST_ENTITIES, folds)
    for label, word in ((1, "positive"), (0, "negative")):
        rows = entities[labels == label]
        found = len(np.unique(rows))
        if found >= needed:
            continue
        of = (
            ""
            if found == len(rows)
            else f" in {found} different entities (equal rows, or one group, are one)"
        )
        raise TrainingRefused(
            f"The data has {len(rows)} {word} rows of {len(labels)}{of}; {needed} are needed to fit a model "
            f"and to check it on others. Give more {word} rows."
        )


def _refuse_one_sided(folds: tuple[Fold, ...], labels: NDArray[np.int8]) -> None:
    if all(0 < labels[fold.fit_rows].sum() < len(fold.fit_rows) for fold in folds):
        return
    raise TrainingRefused(
        "So few entities (equal rows, or rows of one group, are one) hold all positives or negatives that "
        "a fit without one fold of them has a single class. Give rows of more entities, or leave out --group."
    )
