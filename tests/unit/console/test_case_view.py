from datetime import timedelta

import msgspec
import pytest

from flagrank.console.case_view import FIRST_REPORTS, tell_record, view_case
from flagrank.settings import load_default_policy
from flagrank.triage.review import LeaseDraw, PastDecision, PastLease, Verdict
from tests.case_reports import START
from tests.unit.console.cases import make_detail, make_stored

POLICY = load_default_policy()


@pytest.mark.parametrize(
    ("reporter_id", "record", "words"),
    [
        (None, 0.0, "by whom was not told"),
        ("r1", 0.0, "no record yet"),
        ("r1", 0.588, "actioned 1.8 times as often as usual"),
        ("r1", -1.2, "actioned 0.3 times as often as usual"),
    ],
)
def test_a_record_is_told_beside_what_is_usual(reporter_id: str | None, record: float, words: str) -> None:
    assert tell_record(make_stored(reporter_id, record)) == words


def test_a_text_and_a_link_are_shown_once() -> None:
    fields = {"content_url": "https://x.example/1"}
    reports = [make_stored(fields=fields, content_text="hi") for _ in range(2)]
    first, second = view_case(make_detail(*reports), POLICY, START).first_reports
    assert (first.text, first.repeats_text, first.link) == ("hi", False, "https://x.example/1")
    assert (second.text, second.repeats_text, second.link) == (None, True, None)


def test_a_report_without_a_text_repeats_none() -> None:
    views = view_case(make_detail(make_stored(), make_stored()), POLICY, START).first_reports
    assert [view.repeats_text for view in views] == [False, False]


@pytest.mark.parametrize("link", ["javascript:alert(1)", "data:text/html,x", "//x.example", 7, None])
def test_only_pages_are_linked(link: object) -> None:
    (view,) = view_case(make_detail(make_stored(fields={"content_url": link})), POLICY, START).first_reports
    assert view.link is None


def test_features_are_told_and_context_is_not_told_twice() -> None:
    fields = {"reason": "spam", "rating": 4.25, "known": True, "matches": 1_200, "age": None, "kind": "MSG"}
    (view,) = view_case(make_detail(make_stored(fields=fields)), POLICY, START).first_reports
    assert view.features == (
        ("rating", "4.25"),
        ("known", "yes"),
        ("matches", "1,200"),
        ("age", "unknown"),
        ("kind", "MSG"),
    )


def test_reports_beyond_the_first_are_folded_and_those_left_out_counted() -> None:
    detail = make_detail(*[make_stored()] * (FIRST_REPORTS + 2))
    detail = msgspec.structs.replace(detail, case=msgspec.structs.replace(detail.case, n_reports=10))
    view = view_case(detail, POLICY, START)
    assert (len(view.first_reports), len(view.other_reports), view.n_left_out) == (FIRST_REPORTS, 2, 3)


def test_history_is_told_in_its_order() -> None:
    lease = PastLease(
        lease_no=1,
        moderator="ann",
        draw=LeaseDraw.BLIND,
        leased_at=START,
        until=START + timedelta(hours=1),
        ended_at=None,
    )
    decision = PastDecision(
        decision_no=1,
        moderator="ann",
        verdict=Verdict.ACTIONED,
        reason=None,
        note="seen",
        decided_at=START + timedelta(minutes=1),
        reversed_at=START + timedelta(minutes=3),
        reversed_by="bob",
        reversal_reason="appeal",
    )
    hidden = msgspec.structs.replace(lease, leased_at=START + timedelta(minutes=2), draw=None)
    detail = msgspec.structs.replace(
        make_detail(make_stored()), leases=(lease, hidden), decisions=(decision,)
    )
    told = [(event.who, event.what, event.said) for event in view_case(detail, POLICY, START).history]
    assert told == [
        ("ann", "took it, drawn by blind", ()),
        ("ann", "actioned", ("seen",)),
        ("ann", "took it", ()),
        ("bob", "opened it again", ("appeal",)),
    ]


def test_a_case_that_another_policy_has_ranked_is_told() -> None:
    assert view_case(make_detail(make_stored()), POLICY, START).is_current
    later = msgspec.structs.replace(POLICY, version=POLICY.version + 1)
    assert not view_case(make_detail(make_stored()), later, START).is_current
