from itertools import pairwise

import numpy as np
import pytest

from flagrank.scoring.curves import bin_by_count, bin_by_width, trace_curves
from flagrank.scoring.package import HeldOut
from flagrank.triage.curves import Curves


def test_bins_of_equal_width_hold_each_row_once() -> None:
    scores = np.array([0.0, 0.05, 0.1, 0.55, 0.999, 1.0])
    labels = np.array([0, 1, 0, 1, 1, 1], np.int8)
    bins = bin_by_width(labels, scores, np.arange(6))
    assert [(one.lowest, one.highest, one.rows, one.positives) for one in bins] == [
        (0.0, 0.1, 2, 1),
        (0.1, 0.2, 1, 0),
        (0.5, 0.6, 1, 1),
        (0.9, 1.0, 2, 2),
    ]
    assert bins[0].mean_score == pytest.approx(0.025)


def test_bins_of_equal_count_hold_a_tenth_of_the_rows() -> None:
    scores = np.random.default_rng(0).permutation(np.linspace(0.01, 0.02, 1000))
    bins = bin_by_count(np.zeros(1000, np.int8), scores, np.arange(1000))
    assert [one.rows for one in bins] == [100] * 10
    assert all(left.highest < right.lowest for left, right in pairwise(bins))


def test_equal_scores_share_a_bin() -> None:
    scores = np.repeat([0.1, 0.2, 0.3], [450, 450, 100])
    bins = bin_by_count(np.zeros(1000, np.int8), scores, np.arange(1000))
    assert [(one.lowest, one.highest, one.rows) for one in bins] == [
        (0.1, 0.1, 450),
        (0.2, 0.2, 450),
        (0.3, 0.3, 100),
    ]


def test_the_interval_of_a_share_is_wilsons() -> None:
    # Newcombe, Statistics in Medicine 17 (1998), table I: 81 of 263, and 0 of 20.
    labels = np.repeat(np.array([1, 0], np.int8), [81, 182])
    (one,) = bin_by_width(labels, np.full(263, 0.35), np.arange(263))
    assert (one.share.low, one.share.high) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    (none,) = bin_by_width(np.zeros(20, np.int8), np.full(20, 0.35), np.arange(20))
    assert (none.share.low, none.share.high) == pytest.approx((0.0, 0.1611), abs=5e-5)


@pytest.mark.parametrize("positives", [0, 30])
def test_rows_of_one_entity_count_as_one(positives: int) -> None:
    labels = np.repeat(np.array([1, 0], np.int8), [positives, 100 - positives])
    (one,) = bin_by_width(labels, np.full(100, 0.35), np.arange(100))
    (repeated,) = bin_by_width(np.repeat(labels, 9), np.full(900, 0.35), np.repeat(np.arange(100), 9))
    assert repeated.rows == 900
    assert (repeated.share.low, repeated.share.high) == pytest.approx((one.share.low, one.share.high))


def trace(labels: list[int], scores: list[float]) -> Curves:
    return trace_curves(HeldOut(tuple(map(str, range(len(labels)))), tuple(labels), tuple(scores)))


def test_lift_falls_from_what_the_highest_scores_find_to_one() -> None:
    curves = trace([1] * 100 + [0] * 900, np.linspace(1, 0, 1000).tolist())
    lift = dict(zip(curves.shares, curves.lift, strict=True))
    assert (curves.rows, curves.positives) == (1000, 100)
    assert [lift[share] for share in (0.01, 0.1, 0.2, 1.0)] == pytest.approx([10, 10, 5, 1])


def test_where_scores_tie_lift_is_what_any_order_finds_on_average() -> None:
    lift = trace([1, 0, 0, 0] * 50, [0.5] * 200).lift
    assert lift == pytest.approx([1.0] * len(lift))


def test_equal_rows_tell_no_more_than_one_of_them() -> None:
    labels, scores = (1, 0, 0, 0, 1, 0, 0, 1), (0.3,) * 8
    digests = tuple(map(str, range(8)))
    once = trace_curves(HeldOut(digests, labels, scores)).bins[0].share
    repeated = trace_curves(HeldOut(digests * 5, labels * 5, scores * 5)).bins[0].share
    assert (repeated.low, repeated.high) == pytest.approx((once.low, once.high))


def test_without_positives_there_is_no_lift() -> None:
    curves = trace([0, 0], [0.1, 0.2])
    assert (curves.shares, curves.lift) == ((), ())
    assert [one.positives for one in curves.bins] == [0, 0]


def test_without_rows_there_is_nothing() -> None:
    assert trace([], []) == Curves(0, 0, (), (), ())
