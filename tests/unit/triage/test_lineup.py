from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagrank.triage.feature_schema import Feature, FeatureSchema
from flagrank.triage.lineup import Draw, interleave, leave_out
from flagrank.triage.ports import ModelIdentity
from flagrank.triage.report import Report, report_type

SCHEMA = FeatureSchema(
    (Feature(name="length", type="integer"), Feature(name="kind", type="category", open=True))
)
WIDER = FeatureSchema((Feature(name="extra", type="number"), *reversed(SCHEMA.feature)))
REPORT, WIDER_REPORT = report_type(SCHEMA), report_type(WIDER)
DRAWN = 20_000


def draw(share: float, version: str = "7", read_as: FeatureSchema = SCHEMA) -> Draw:
    return Draw(ModelIdentity("challenger", version), share, SCHEMA, read_as)


def report(number: int, **ids: str) -> Report:
    return REPORT(f0=float(number), f1="a", **ids)  # type: ignore[call-arg, arg-type]


def by(name: str, count: int = DRAWN) -> list[Report]:
    return [report(0, **{name: f"id {number}"}) for number in range(count)]


@pytest.mark.parametrize("share", [0.001, 0.05, 0.5, 0.9])
def test_as_many_are_picked_as_the_share_says(share: float) -> None:
    deviation = (share * (1 - share) * DRAWN) ** 0.5
    assert abs(len(draw(share).pick(by("reported_id"))) - share * DRAWN) < 6 * deviation


def test_a_share_of_all_is_all() -> None:
    assert draw(1.0).pick(by("content_id", 500)) == list(range(500))


def test_a_larger_share_keeps_those_of_a_smaller() -> None:
    reports = by("reported_id")
    assert set(draw(0.1).pick(reports)) < set(draw(0.11).pick(reports)) < set(draw(0.6).pick(reports))


def test_another_challenger_meets_other_people() -> None:
    reports = by("reported_id")
    first, second = (set(draw(0.5, version).pick(reports)) for version in ("7", "8"))
    assert abs(len(first & second) - DRAWN / 4) < 6 * (DRAWN * 3 / 16) ** 0.5


def test_neighbouring_versions_do_not_share_their_draw() -> None:
    reports = by("reported_id", 400)
    picks = Counter(tuple(draw(0.5, str(version)).pick(reports)) for version in range(50))
    assert max(picks.values()) == 1


def test_the_first_id_there_is_decides() -> None:
    pick = draw(0.5).pick
    by_reported = pick(by("reported_id", 300))
    assert (
        pick([report(n, reported_id=f"id {n}", content_id="c", report_id="r") for n in range(300)])
        == by_reported
    )
    assert pick([report(n, content_id=f"id {n}", report_id="r") for n in range(300)]) == by_reported
    assert pick([report(n, report_id=f"id {n}") for n in range(300)]) == by_reported


def test_without_ids_the_champions_features_decide_however_they_were_read() -> None:
    numbers = range(500)
    plain = draw(0.5).pick([report(number) for number in numbers])
    wide = [WIDER_REPORT(f0=number / 7, f1="a", f2=float(number)) for number in numbers]  # type: ignore[call-arg]
    assert draw(0.5, read_as=WIDER).pick(wide) == plain
    assert 150 < len(plain) < 350
    assert len(draw(0.5).pick([report(3)] * 10)) in {0, 10}


@given(st.lists(st.booleans(), max_size=30))
def test_what_was_taken_out_comes_back_to_its_place(is_taken: list[bool]) -> None:
    items = list(range(len(is_taken)))
    taken = [index for index in items if is_taken[index]]
    assert interleave(taken, taken, leave_out(taken, items)) == items
