import numpy as np

from flagrank.scoring.columns import Matrix
from flagrank.training.network_inputs import NULL_CODE, fit_inputs


def _make(*columns: object) -> tuple[Matrix, np.ndarray]:
    data = np.column_stack([np.asarray(column, np.float32) for column in columns])
    return data, (np.arange(len(data)) % 3 == 0).astype(np.int8)


def test_edges_are_within_the_data_and_every_piece_has_a_width() -> None:
    values = np.random.default_rng(0).lognormal(size=1_000)
    data, labels = _make(values)
    inputs = fit_inputs(data, labels, (None,))
    edges = inputs.edges[0]
    assert edges[0] == data.min()
    assert edges[-1] == data.max()
    assert (np.diff(edges) > 0).all()
    assert len(inputs.starts) == len(inputs.rates) == len(edges) - 1
    np.testing.assert_allclose(inputs.starts + 1 / inputs.rates, edges[1:], rtol=1e-5)


def test_a_split_that_tells_labels_apart_is_an_edge() -> None:
    values = np.arange(1_000, dtype=np.float32)
    labels = (values >= 701).astype(np.int8)
    inputs = fit_inputs(values[:, np.newaxis], labels, (None,))
    assert 700.5 in inputs.edges[0]


def test_columns_without_two_values_have_no_pieces() -> None:
    data, labels = _make(np.full(60, np.nan), np.full(60, 7.0), np.arange(60))
    inputs = fit_inputs(data, labels, (None, None, None))
    assert set(inputs.columns.tolist()) == {2}
    assert inputs.fills.tolist() == [0, 7, 0]


def test_a_category_is_a_code_and_its_null_has_one_too() -> None:
    data, labels = _make(np.arange(60) % 3, np.arange(60))
    inputs = fit_inputs(data, labels, (3, None))
    assert inputs.categories == ((0, 3),)
    assert inputs.fills[0] == NULL_CODE


def test_numbers_too_near_each_other_for_float32_make_no_infinite_rate() -> None:
    tiny = np.array([0, 1e-45, 2e-45, 1.0] * 50, np.float32)
    data, labels = _make(tiny)
    assert np.isfinite(fit_inputs(data, labels, (None,)).rates).all()


def test_a_thousand_features_share_a_bounded_number_of_pieces() -> None:
    data = np.random.default_rng(2).normal(size=(80, 1_000)).astype(np.float32)
    labels = (np.arange(80) % 2).astype(np.int8)
    assert len(fit_inputs(data, labels, (None,) * 1_000).columns) <= 5_000
