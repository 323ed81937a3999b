"""The stability index is a symmetric divergence, whatever the shares."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from flagrank.triage.drift import population_stability_index

smoothings = st.floats(1e-9, 0.5)


@st.composite
def shares(draw: st.DrawFn, bins: int) -> list[float]:
    """Shares of so many bins, some of them empty."""
    counts = draw(st.lists(st.integers(0, 1_000), min_size=bins, max_size=bins).filter(any))
    return [count / sum(counts) for count in counts]


pairs = st.integers(1, 12).flatmap(lambda bins: st.tuples(shares(bins), shares(bins)))


@given(pairs, smoothings)
def test_it_is_finite_never_negative_and_symmetric(
    pair: tuple[Sequence[float], Sequence[float]], smoothing: float
) -> None:
    first, second = pair
    index = population_stability_index(first, second, smoothing)
    assert 0 <= index < 50
    assert abs(index - population_stability_index(second, first, smoothing)) < 1e-12


@given(st.integers(1, 12).flatmap(shares), smoothings)
def test_of_equal_shares_it_is_zero(equal: Sequence[float], smoothing: float) -> None:
    assert population_stability_index(equal, list(equal), smoothing) == 0


@given(pairs, st.data())
def test_the_order_of_the_bins_does_not_matter(
    pair: tuple[Sequence[float], Sequence[float]], data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(len(pair[0]))))
    first, second = ([part[place] for place in order] for part in pair)
    index = population_stability_index(*pair, 0.01)
    assert abs(population_stability_index(first, second, 0.01) - index) < 1e-9


@given(pairs)
def test_two_bins_taken_as_one_never_raise_it(pair: tuple[Sequence[float], Sequence[float]]) -> None:
    """Less is seen through coarser bins, but for what smoothing adds to each."""
    first, second = ([sum(part[:2]), *part[2:]] for part in pair)
    assert population_stability_index(first, second, 1e-12) <= population_stability_index(*pair, 1e-12) + 1e-6
