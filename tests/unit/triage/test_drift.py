import pytest

from flagrank.triage.drift import population_stability_index


@pytest.mark.parametrize(
    ("first", "second", "index"),
    [
        ([0.5, 0.5], [0.8, 0.2], 0.3 * 0.4700036 + 0.3 * 0.9162907),
        ([0.25, 0.25, 0.5], [0.25, 0.5, 0.25], 2 * 0.25 * 0.6931472),
    ],
)
def test_it_is_what_the_formula_says(first: list[float], second: list[float], index: float) -> None:
    assert population_stability_index(first, second, 1e-12) == pytest.approx(index, abs=1e-6)


def test_an_empty_bin_counts_as_half_a_report() -> None:
    """Of 100 reports none has come into a bin of a tenth."""
    smoothing = 0.5 / 100
    p, q = (share / (1 + 2 * smoothing) for share in (0.1 + smoothing, smoothing))
    rest = ((1 - p) - (1 - q)) * -0.1  # nearly nothing: ln(1 + x) is about x
    index = population_stability_index([0.1, 0.9], [0.0, 1.0], smoothing)
    assert index == pytest.approx((p - q) * 3.0445224 + abs(rest), abs=0.002)


def test_shares_of_different_bins_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="shorter"):
        population_stability_index([0.5, 0.5], [1.0], 0.1)
