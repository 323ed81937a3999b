"""A policy's file is read whole or refused whole, whatever was written into it."""

from importlib.resources import files

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from flagrank.settings import load_default_policy
from flagrank.triage.errors import PolicyRefused
from flagrank.triage.policy import Policy, PolicyChange, compare_policies
from flagrank.triage.policy_file import MAX_PROBLEMS, parse_policy

DEFAULT_POLICY = load_default_policy()
LINES = (files("flagrank") / "default_policy.toml").read_text(encoding="utf-8").splitlines()
VALUES = ["-1", "0", "1e999", "nan", "true", '"x"', "[]", "{}", "[{}]", "2027-01-05", "9" * 400, "0.01", "7"]

severities = st.dictionaries(
    st.sampled_from(["spam", "scam", "fraud", "hate"]), st.floats(0.001, 1_000), max_size=4
).map(lambda some: {**some, "other": 2.0})


@st.composite
def edited(draw: st.DrawFn) -> str:
    """The default policy with some lines lost, doubled, moved or given another value."""
    lines = LINES.copy()
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(["lose", "double", "move", "set", "insert"])):
            case "lose":
                del lines[place]
            case "double":
                lines.insert(place, lines[place])
            case "move":
                lines.append(lines.pop(place))
            case "set":
                lines[place] = f"{lines[place].partition('=')[0]}= {draw(st.sampled_from(VALUES))}"
            case _:
                lines.insert(place, draw(st.text(max_size=30)))
    return "\n".join(lines)


def read(text: str) -> Policy | PolicyRefused:
    try:
        return parse_policy(text, "x.toml", 1)
    except PolicyRefused as error:
        return error


@given(edited() | st.text(max_size=200))
def test_any_text_is_a_policy_that_ranks_or_is_refused_in_sentences(text: str) -> None:
    policy = read(text)
    if isinstance(policy, PolicyRefused):
        assert policy.detail.startswith("x.toml")
        assert policy.detail.endswith(".")
        assert len(policy.fields) <= MAX_PROBLEMS
        return
    for reason in (None, "gone", *policy.severities):
        severity = policy.severity_of(reason, "PRF")
        assert 0 < severity <= 1_000
        assert policy.time_to_review(severity) <= policy.time_to_review(0.001)


@given(severities, severities)
def test_the_changes_from_one_policy_to_another_make_the_one_the_other(
    before: dict[str, float], after: dict[str, float]
) -> None:
    changes = compare_policies(
        replace(DEFAULT_POLICY, severities=before), replace(DEFAULT_POLICY, severities=after)
    )
    made: dict[str, float | str | None] = {f"severities.{reason}": value for reason, value in before.items()}
    for change in changes:
        assert change == PolicyChange(change.path, made.get(change.path), change.after)
        made[change.path] = change.after
    assert {path: value for path, value in made.items() if value is not None} == {
        f"severities.{reason}": value for reason, value in after.items()
    }
