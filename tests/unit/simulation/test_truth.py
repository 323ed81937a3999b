from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from flagrank.simulation.reports import simulate

ROWS = 150_000


@pytest.fixture(scope="module")
def simulated() -> dict[str, NDArray[Any]]:
    batches = list(simulate(ROWS, 17))
    names = (
        "abuse_type",
        "report_text_len",
        "profile_rating",
        "popularity",
        "lifetime_matches_created",
    )
    columns: dict[str, NDArray[Any]] = {
        name: np.array([value for batch in batches for value in batch[name]], dtype=object) for name in names
    }
    for name in ("actionable", "chance"):
        columns[name] = np.array([value for batch in batches for value in batch[name]], dtype=np.float64)
    return columns


def roc_auc(label: NDArray[np.float64], score: NDArray[np.float64]) -> float:
    """Return the share of pairs in the right order; the few ties of `chance` don't show in three decimals."""
    ranks_of_positives = np.flatnonzero(label[np.argsort(score)]) + 1
    positives = len(ranks_of_positives)
    pairs_in_order = ranks_of_positives.sum() - positives * (positives + 1) / 2
    return float(pairs_in_order / positives / (len(label) - positives))


def test_labels_come_true_as_often_as_their_chance_says(
    simulated: dict[str, NDArray[Any]],
) -> None:
    chance, label = simulated["chance"], simulated["actionable"]
    for members in np.array_split(np.argsort(chance), 20):
        expected = chance[members]
        deviation = np.sqrt((expected * (1 - expected)).sum()) / len(members)
        assert abs(label[members].mean() - expected.mean()) < 4 * deviation


def test_chance_holds_where_a_feature_is_null(
    simulated: dict[str, NDArray[Any]],
) -> None:
    chance, label = simulated["chance"], simulated["actionable"]
    for name in ("profile_rating", "popularity", "lifetime_matches_created"):
        members = np.array([value is None for value in simulated[name]])
        expected = chance[members]
        deviation = np.sqrt((expected * (1 - expected)).sum()) / members.sum()
        assert abs(label[members].mean() - expected.mean()) < 4 * deviation, name


def test_a_third_of_reports_is_actionable(
    simulated: dict[str, NDArray[Any]],
) -> None:
    assert 0.29 < simulated["actionable"].mean() < 0.35


def test_the_best_possible_ranking_is_good_and_not_perfect(
    simulated: dict[str, NDArray[Any]],
) -> None:
    assert 0.85 < roc_auc(simulated["actionable"], simulated["chance"]) < 0.90


def test_no_report_is_certain(simulated: dict[str, NDArray[Any]]) -> None:
    assert simulated["chance"].min() >= 0.01
    assert simulated["chance"].max() <= 0.97


def test_chance_depends_on_nothing_but_the_features(
    simulated: dict[str, NDArray[Any]],
) -> None:
    names = (
        "abuse_type",
        "report_text_len",
        "profile_rating",
        "popularity",
        "lifetime_matches_created",
    )
    seen: dict[tuple[Any, ...], float] = {}
    repeated = 0
    for *features, chance in zip(*(simulated[name] for name in names), simulated["chance"], strict=True):
        key = tuple(features)
        repeated += key in seen
        assert seen.setdefault(key, chance) == chance
    assert repeated > 0


def test_text_of_middle_length_is_worth_most(
    simulated: dict[str, NDArray[Any]],
) -> None:
    length = simulated["report_text_len"].astype(np.float64)
    short, middle, long = (
        simulated["chance"][(length >= low) & (length < high)].mean()
        for low, high in ((1, 20), (100, 400), (5000, 1e7))
    )
    assert middle > 3 * short
    assert middle > 3 * long


def test_a_missing_rating_tells_a_little(simulated: dict[str, NDArray[Any]]) -> None:
    chance = simulated["chance"]
    missing = np.array([value is None for value in simulated["profile_rating"]])
    assert chance[missing].mean() < 0.8 * chance[~missing].mean()


def test_popularity_means_the_opposite_for_messages_and_profiles(
    simulated: dict[str, NDArray[Any]],
) -> None:
    known = np.array([value is not None for value in simulated["popularity"]])
    popularity = np.array([value or 0.0 for value in simulated["popularity"]])
    very, fairly = (
        known & (popularity > 4),
        known & (popularity > 2.2) & (popularity < 3),
    )
    profile = simulated["abuse_type"] == "PRF"
    chance = simulated["chance"]
    assert chance[very & profile].mean() > 1.3 * chance[fairly & profile].mean()
    assert chance[very & ~profile].mean() < 0.8 * chance[fairly & ~profile].mean()
