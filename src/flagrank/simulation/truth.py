"""The rule by which a synthetic report is actionable: the known truth that a model is measured against."""

import numpy as np
from numpy.typing import NDArray

from flagrank.simulation.features import Features

WRONG_LABELS = 0.01
"""The share of labels that say the opposite of what a perfect moderator would say."""


def chance_of_action(features: Features) -> NDArray[np.float64]:
    """Return P(actionable | the five features), wrong labels included: no score can rank the labels better.

    It is rounded to 12 decimals and the labels are drawn from the rounded value: so it is exact, and the last
    bit of an exponential, which differs between processors, does not show.
    """
    effects = _text(features) + _rating(features) + _popularity(features) + _matches(features)
    log_odds = 1.2 * effects - 6.3
    deserved = 1 / (1 + np.exp(-log_odds))
    chance: NDArray[np.float64] = np.round(WRONG_LABELS + (1 - 2 * WRONG_LABELS) * deserved, 12)
    return chance


def _text(features: Features) -> NDArray[np.float64]:
    """Favour a few sentences about a message; a profile speaks for itself, and pasted text rarely helps."""
    log_chars = np.log1p(features.text_chars)
    sentences = np.exp(-(((log_chars - 5.2) / 1.3) ** 2))
    message = 4.2 * sentences - (features.text_chars == 0)
    profile = 0.5 + 1.2 * sentences + 1.6 * (features.text_chars == 0)
    effect: NDArray[np.float64] = np.where(features.is_profile, profile, message)
    return effect


def _rating(features: Features) -> NDArray[np.float64]:
    """Favour well-rated reporters, above all about messages; the worst-rated report in revenge."""
    rating = np.nan_to_num(features.profile_rating, nan=2.0)
    slope = np.where(features.is_profile, 0.3, 1.1)
    revenge = -1.5 / (1 + np.exp((rating - 1.2) / 0.15))
    return slope * (rating - 3) + revenge - 0.4 * np.isnan(features.profile_rating)


def _popularity(features: Features) -> NDArray[np.float64]:
    """Favour popular people about profiles, since fakes seek them, and the middle about messages."""
    popularity = np.nan_to_num(features.popularity, nan=2.5)
    profile = 1.6 * (popularity - 1.8)
    message = 0.8 - 0.55 * (popularity - 2.6) ** 2
    return np.where(features.is_profile, profile, message) + 0.5 * np.isnan(features.popularity)


def _matches(features: Features) -> NDArray[np.float64]:
    """Favour new accounts, the prey of scams; those with thousands of matches report by habit."""
    log_matches = np.log1p(np.nan_to_num(features.lifetime_matches, nan=30.0))
    prey = 1.8 / (1 + np.exp((log_matches - 2.2) / 0.3))
    habit = -2.0 / (1 + np.exp((6.0 - log_matches) / 0.4))
    return prey + habit - 0.6 * np.isnan(features.lifetime_matches)
