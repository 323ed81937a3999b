"""How features tell of the truth: the known rule that a model is measured against."""

import numpy as np
from numpy.typing import NDArray

from flagrank.simulation.features import Features, draw_features

MISSED_BAD = 0.03
"""How often the moderator who reviews something bad first lets it pass; later ones see it."""
PUNISHED_INNOCENT = 0.01
"""How often the first one acts on an innocent."""

_GUILTY_SHARES = {True: 0.0664, False: 0.1370}
"""Of profiles and messages as `draw_features` draws them, those that `weigh_features` finds guilty."""

_DRAWN_AT_ONCE = 2**16


def draw_features_of(
    generator: np.random.Generator, is_profile: NDArray[np.bool_], is_bad: NDArray[np.bool_]
) -> Features:
    """Draw what reports look like from what they are about: the features of one (n,) that is so.

    By rejection: of features drawn at random, those that turn out guilty by their log-odds are dealt to the
    bad, the others to the innocent. So P(bad | features) is known.
    """
    kinds = [(profile, bad) for profile in (False, True) for bad in (False, True)]
    wanted = [np.flatnonzero((is_profile == profile) & (is_bad == bad)) for profile, bad in kinds]
    parts: list[tuple[NDArray[np.intp], Features]] = []
    while any(map(len, wanted)):
        drawn = draw_features(generator, _DRAWN_AT_ONCE)
        is_guilty = generator.random(_DRAWN_AT_ONCE) < _squash(weigh_features(drawn))
        for kind, (profile, bad) in enumerate(kinds):
            fitting = np.flatnonzero((drawn.is_profile == profile) & (is_guilty == bad))
            dealt = wanted[kind][: len(fitting)]
            wanted[kind] = wanted[kind][len(dealt) :]
            parts.append((dealt, drawn.take(fitting[: len(dealt)])))
    order = np.argsort(np.concatenate([dealt for dealt, _ in parts]))
    return Features.join([part for _, part in parts]).take(order)


def chance_of_action(features: Features, bad_shares: dict[bool, float]) -> NDArray[np.float64]:
    """Return P(actionable | the five features), moderators' errors included: the best score there can be.

    `bad_shares` says of reports on profiles (True) and messages (False) how many are about something bad.
    Rounded to 12 decimals, since the last bit of an exponential differs between processors.
    """
    shift = {kind: _log_odds(bad_shares[kind]) - _log_odds(_GUILTY_SHARES[kind]) for kind in (True, False)}
    log_odds = weigh_features(features) + np.where(features.is_profile, shift[True], shift[False])
    seen = PUNISHED_INNOCENT + (1 - MISSED_BAD - PUNISHED_INNOCENT) * _squash(log_odds)
    chance: NDArray[np.float64] = np.round(seen, 12)
    return chance


def weigh_features(features: Features) -> NDArray[np.float64]:
    """The log-odds of guilt that features speak for where an eighth is guilty."""
    effects = _text(features) + _rating(features) + _popularity(features) + _matches(features)
    log_odds: NDArray[np.float64] = 1.2 * effects - 6.3
    return log_odds


def _log_odds(share: float) -> float:
    return float(np.log(share / (1 - share)))


def _squash(value: NDArray[np.float64]) -> NDArray[np.float64]:
    squashed: NDArray[np.float64] = 1 / (1 + np.exp(-value))
    return squashed


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
