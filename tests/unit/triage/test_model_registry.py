import pytest

from flagrank.triage.audit import MAX_REASON_CHARS, make_change
from flagrank.triage.errors import ChangeRefused
from flagrank.triage.model_registry import DEFAULT_SHARE, ModelRole, make_assignment


@pytest.mark.parametrize("share", [1e-9, 0.5, 1.0])
def test_a_challenger_has_a_share(share: float) -> None:
    assert make_assignment(ModelRole.CHALLENGER, share).share == share


def test_without_a_word_it_is_a_tenth() -> None:
    assert make_assignment(ModelRole.CHALLENGER, None).share == DEFAULT_SHARE == 0.1


@pytest.mark.parametrize("share", [0.0, -0.1, 1.0000001, float("inf"), float("nan")])
def test_a_share_is_over_0_and_at_most_1(share: float) -> None:
    with pytest.raises(ChangeRefused, match="share is"):
        make_assignment(ModelRole.CHALLENGER, share)


@pytest.mark.parametrize("role", [ModelRole.SHADOW, ModelRole.NONE])
def test_other_roles_have_none(role: ModelRole) -> None:
    assert make_assignment(role, None).share is None
    with pytest.raises(ChangeRefused, match="Only a challenger"):
        make_assignment(role, 0.5)


def test_a_champion_is_promoted() -> None:
    with pytest.raises(ChangeRefused, match="Promote"):
        make_assignment(ModelRole.CHAMPION, None)


@pytest.mark.parametrize("reason", ["", "a\nb", "\x00", "\ud800", "x" * (MAX_REASON_CHARS + 1)])
def test_a_reason_is_one_line_that_can_be_stored(reason: str) -> None:
    with pytest.raises(ChangeRefused, match="reason"):
        make_change("user:ann", reason)
    assert make_change("user:ann", "x" * MAX_REASON_CHARS).reason == "x" * MAX_REASON_CHARS
    assert make_change("user:ann", None).reason is None
