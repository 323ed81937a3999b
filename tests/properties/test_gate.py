"""The gate: what is worse is found, what is alike is let pass, and nothing but the scores' order counts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from flagrank.scoring.gate import compare_held_out
from flagrank.scoring.package import HeldOut
from flagrank.training.metrics import measure
from flagrank.triage.gate import FEWEST_POSITIVES, Verdict

ROWS = 1_500


def packed(labels: NDArray[np.int8], scores: NDArray[np.float64], first: int = 0) -> HeldOut:
    digests = tuple(f"{first + number:06}" for number in range(len(labels)))
    return HeldOut(digests, tuple(labels.tolist()), tuple(scores.tolist()))


def draw_scores(seed: int, spread: float, rows: int = ROWS) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
    """Labels of which a tenth is positive, and scores that know less of them the larger the spread."""
    random = np.random.default_rng(seed)
    labels = (np.random.default_rng(0).random(rows) < 0.1).astype(np.int8)
    return labels, 1 / (1 + np.exp(-(2 * labels - 1 + random.normal(scale=spread, size=rows))))


def test_a_model_that_is_really_worse_is_found() -> None:
    labels, good = draw_scores(1, 1.0)
    _, bad = draw_scores(2, 2.5)
    gate = compare_held_out(packed(labels, bad), packed(labels, good), 3)
    assert (gate.verdict, gate.rows, gate.positives, gate.champion_version) == (
        Verdict.WORSE,
        ROWS,
        labels.sum(),
        3,
    )
    back = compare_held_out(packed(labels, good), packed(labels, bad), 3)
    assert back.verdict is Verdict.BETTER
    assert back.difference is not None
    assert gate.difference == pytest.approx(-back.difference)


def test_one_as_good_is_let_pass_nearly_always() -> None:
    verdicts = []
    for seed in range(20):
        labels, ours = draw_scores(2 * seed + 1, 1.5, 600)
        _, theirs = draw_scores(2 * seed + 2, 1.5, 600)
        verdicts.append(compare_held_out(packed(labels, ours), packed(labels, theirs), 1).verdict)
    assert verdicts.count(Verdict.WORSE) <= 3


def test_a_tiny_loss_is_none_however_certain() -> None:
    labels, good = draw_scores(1, 1.5, 20_000)
    bad = good.copy()
    best = np.argsort(-good)[:7]
    bad[best[labels[best] == 1]] = 0.2
    gate = compare_held_out(packed(labels, bad), packed(labels, good), 1)
    assert gate.high is not None
    assert gate.high < 0
    assert gate.verdict is Verdict.ALIKE


def test_the_difference_is_that_of_the_figures_that_training_prints() -> None:
    labels, ours = draw_scores(1, 1.0)
    _, theirs = draw_scores(2, 1.4)
    first, second = (measure(labels, scores, seed=1).roc_auc.value for scores in (ours, theirs))
    assert first is not None
    assert second is not None
    gate = compare_held_out(packed(labels, ours), packed(labels, theirs), 1)
    assert gate.difference == pytest.approx(first - second, abs=1e-6)


@pytest.mark.parametrize("shared", [0, 200, 400])
def test_only_shared_rows_count_and_too_few_positives_say_nothing(shared: int) -> None:
    labels, scores = draw_scores(1, 1.0)
    gate = compare_held_out(packed(labels, scores), packed(labels, scores, ROWS - shared), 1)
    # Shared are our last rows and their first, whose labels differ: those of equal labels are the same rows.
    ours, theirs = labels[ROWS - shared :], labels[:shared]
    assert gate.rows == (ours == theirs).sum()
    assert gate.positives == (ours & theirs).sum() < FEWEST_POSITIVES
    assert (gate.verdict, gate.difference, gate.low, gate.high) == (Verdict.UNKNOWN, None, None, None)


def test_fifty_positives_are_enough_and_only_positives_are_nothing() -> None:
    labels = np.array([1] * 50 + [0] * 50, np.int8)
    scores = np.linspace(0.9, 0.1, 100)
    assert compare_held_out(packed(labels, scores), packed(labels, scores), 1).verdict is Verdict.ALIKE
    fewer = np.array([1] * 49 + [0] * 51, np.int8)
    assert compare_held_out(packed(fewer, scores), packed(fewer, scores), 1).verdict is Verdict.UNKNOWN
    every = np.ones(100, np.int8)
    assert compare_held_out(packed(every, scores), packed(every, scores), 1).verdict is Verdict.UNKNOWN


def test_rows_of_equal_features_are_paired_as_often_as_both_have_them() -> None:
    labels = np.array([1, 0] * 100, np.int8)
    scores = np.linspace(0.1, 0.9, 200)
    ours = HeldOut(("same",) * 200, tuple(labels.tolist()), tuple(scores.tolist()))
    theirs = HeldOut(("same",) * 150, tuple(labels[:150].tolist()), tuple(scores[:150].tolist()))
    gate = compare_held_out(ours, theirs, 1)
    assert (gate.rows, gate.positives) == (150, 75)


_SCORES = hnp.arrays(np.float64, 120, elements=st.sampled_from([0.1, 0.2, 0.3, 0.5, 0.8]))
_LABELS = st.permutations([1] * 60 + [0] * 60).map(lambda labels: np.array(labels, np.int8))


@settings(max_examples=15)
@given(_LABELS, _SCORES, _SCORES, st.randoms(use_true_random=False))
def test_a_comparison_is_antisymmetric_and_knows_no_order_of_rows_and_no_scale(
    labels: NDArray[np.int8],
    ours: NDArray[np.float64],
    theirs: NDArray[np.float64],
    random: object,
) -> None:
    gate = compare_held_out(packed(labels, ours), packed(labels, theirs), 1)
    assert gate.difference is not None
    assert gate.low is not None
    assert gate.high is not None
    assert gate.low <= gate.high
    assert -1 <= gate.difference <= 1
    back = compare_held_out(packed(labels, theirs), packed(labels, ours), 1)
    assert back.difference == pytest.approx(-gate.difference)
    assert back.low == pytest.approx(-gate.high)
    assert back.high == pytest.approx(-gate.low)
    order = list(range(120))
    random.shuffle(order)  # type: ignore[attr-defined]
    whole = packed(labels, ours**3)
    shuffled = HeldOut(
        tuple(whole.digests[place] for place in order),
        tuple(whole.labels[place] for place in order),
        tuple(whole.scores[place] for place in order),
    )
    assert compare_held_out(shuffled, packed(labels, theirs), 1) == gate
    assert compare_held_out(packed(labels, ours), packed(labels, ours), 1).difference == 0
