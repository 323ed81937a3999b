"""Reporters in step are those of the definition, whatever the order and the names."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from flagrank.settings import load_default_policy
from flagrank.triage.in_step import find_groups
from tests.case_reports import at

RULES = load_default_policy().reporters
LEAST = RULES.in_step_targets
WITHIN = timedelta(minutes=RULES.in_step_minutes)

Told = tuple[str, str, datetime]

reports = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.sampled_from("12345"), st.integers(0, 40).map(at)), max_size=60
)


def join_by_definition(told: Sequence[Told]) -> set[frozenset[str]]:
    """Every pair looked at, and pairs with a common member joined until none is left."""
    groups: list[set[str]] = []
    for one, other in combinations(sorted({name for name, _, _ in told}), 2):
        shared = {
            target
            for name, target, made_at in told
            if name == one
            and any(n == other and t == target and abs(made_at - m) <= WITHIN for n, t, m in told)
        }
        if len(shared) >= LEAST:
            groups.append({one, other})
    while pair := next(((a, b) for a, b in combinations(groups, 2) if a & b), None):
        groups = [group for group in groups if group not in pair] + [pair[0] | pair[1]]
    return {frozenset(group) for group in groups}


@given(reports)
def test_groups_are_those_of_the_definition(told: list[Told]) -> None:
    names = find_groups(told, RULES)
    found = {frozenset(name for name in names if names[name] == group) for group in names.values()}
    assert found == join_by_definition(told)
    assert all(min(member for member in names if names[member] == group) == group for group in names.values())


@given(reports, st.data())
def test_the_order_of_reports_leaves_no_trace(told: list[Told], data: st.DataObject) -> None:
    assert find_groups(data.draw(st.permutations(told)), RULES) == find_groups(told, RULES)


@given(reports, reports)
def test_more_reports_never_part_a_group(told: list[Told], more: list[Told]) -> None:
    before, after = find_groups(told, RULES), find_groups(told + more, RULES)
    assert before.keys() <= after.keys()
    assert all(after[name] == after[before[name]] for name in before)
