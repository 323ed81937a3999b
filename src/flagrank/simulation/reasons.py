"""How often reporters name each reason."""

import numpy as np
from numpy.typing import NDArray

REASONS = (
    "spam",
    "nudity",
    "other",
    "harassment",
    "scam",
    "hate",
    "threat",
    "self_harm",
    "minor_safety",
    None,
)
"""What a report may state, null among it; columns of reasons hold positions in this tuple."""

_OF_MESSAGES = np.cumsum([0.22, 0.10, 0.13, 0.24, 0.10, 0.06, 0.03, 0.01, 0.01])
_OF_PROFILES = np.cumsum([0.20, 0.17, 0.15, 0.05, 0.24, 0.04, 0.01, 0.01, 0.03])


def choose_reasons(uniform: NDArray[np.float64], is_profile: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Turn uniform draws into positions in `REASONS`; a tenth are null."""
    of_message, of_profile = (np.searchsorted(shares, uniform) for shares in (_OF_MESSAGES, _OF_PROFILES))
    return np.where(is_profile, of_profile, of_message)
