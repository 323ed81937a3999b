from flagrank.console.case_bars import HALF_WIDTH, draw_factors, draw_terms
from flagrank.settings import load_default_policy
from tests.unit.console.cases import make_case, make_detail, make_stored

POLICY = load_default_policy()


def test_a_bar_is_as_long_as_the_logarithm_of_its_factor() -> None:
    chance, severity, reach = draw_factors(make_case(exposure=0.0, severity=4.0), POLICY)
    assert (severity.start, severity.width, severity.raises) == (HALF_WIDTH, HALF_WIDTH, True)
    assert (chance.start, chance.width, chance.raises) == (HALF_WIDTH / 2, HALF_WIDTH / 2, False)  # a half
    assert (reach.width, reach.words) == (0, "\N{MULTIPLICATION SIGN} 1")


def test_large_factors_are_written_out() -> None:
    words = [bar.words for bar in draw_factors(make_case(exposure=25_000.0, severity=25.0), POLICY)]
    assert words[2] == "\N{MULTIPLICATION SIGN} 1,198"


def test_the_label_of_the_reach_counts_views() -> None:
    assert draw_factors(make_case(exposure=1.0), POLICY)[2].label == "Reach: 1 further view"
    assert draw_factors(make_case(exposure=2_500.0), POLICY)[2].label == "Reach: 2,500 further views"


def test_terms_lie_on_the_side_of_their_sign() -> None:
    start, *_ = draw_terms(make_detail(make_stored()), POLICY)
    assert start.raises is (POLICY.pool.intercept >= 0)
    assert start.words == f"{POLICY.pool.intercept:+.2f}"
