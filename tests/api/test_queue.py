"""The queue over HTTP: the worst first, page by page, and each case in one moderator's hands at a time."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from flagrank.api.review_wishes import MOST_BYTES
from tests.api.problem_checks import check_problem
from tests.api.review_server import Review, ids, make_name
from tests.api.running_server import JSON_TYPE, running_server

LISTED = [
    *("case_id", "status", "priority", "score", "severity", "exposure", "reason", "abuse_type"),
    *("reported_id", "content_id", "n_reports", "n_reporters", "first_reported_at", "deadline_at"),
    *("policy_version", "leased_by", "lease_expires_at", "decided_at", "why"),
]
UNKNOWN = "0199c0de-0000-7000-8000-000000000000"


def test_reports_on_one_target_are_one_case_and_the_worst_comes_first(review: Review) -> None:
    review.clear()
    first, second = make_name("target"), make_name("target")
    review.report(
        {"reported_id": first, "reason": "spam", "exposure": 5},
        {"reported_id": second, "reason": "threat", "exposure": 5},
        {"reported_id": first, "reason": "spam", "exposure": 5, "abuse_type": "PRF"},
    )
    worst, other = review.walk()
    assert list(worst) == LISTED
    assert (worst["reported_id"], worst["reason"], worst["n_reports"]) == (second, "threat", 1)
    assert (other["reported_id"], other["reason"], other["n_reports"]) == (first, "spam", 2)
    assert worst["priority"] > other["priority"] > 0
    assert 0 < other["score"] < 1
    assert (worst["status"], worst["leased_by"], worst["decided_at"]) == ("open", None, None)
    assert worst["why"].startswith("Reported by one reporter for threat (severity 12); ")
    due = datetime.fromisoformat(worst["deadline_at"]) - datetime.fromisoformat(worst["first_reported_at"])
    assert due == timedelta(hours=4)


def test_walking_shows_each_case_once_while_others_decide(review: Review) -> None:
    cases = review.open(100)
    assert [case["priority"] for case in cases] == sorted((case["priority"] for case in cases), reverse=True)
    page = review.page("limit=10")
    seen = page["cases"]
    assert ids(seen) == ids(cases[:10])
    for case in seen[:6]:
        assert review.decide(case["case_id"], "bob").status == 200
    for case in cases[40:44]:
        assert review.decide(case["case_id"], "bob", "dismissed").status == 200
    while page["next"]:
        page = review.page(f"limit=10&cursor={page['next']}")
        seen += page["cases"]
    assert ids(seen) == ids(cases[:40]) + ids(cases[44:])
    assert ids(review.walk("limit=7")) == ids(cases[6:40]) + ids(cases[44:])


def test_a_page_past_the_end_says_that_it_is_the_end_only_where_nothing_is_left(review: Review) -> None:
    cases = review.open(3)
    page = review.page("limit=2")
    for case in cases[:2]:
        review.decide(case["case_id"])
    assert review.page(f"limit=2&cursor={page['next']}") == {"cases": review.walk(), "next": None}
    assert ids(review.walk()) == ids(cases[2:])


def test_filters_select(review: Review) -> None:
    review.clear()
    names = [make_name("target") for _ in range(3)]
    review.report(
        {"reported_id": names[0], "reason": "scam", "abuse_type": "MSG", "exposure": 3},
        {"reported_id": names[1], "reason": "scam", "abuse_type": "PRF", "exposure": 2},
        {"reported_id": names[2], "reason": "hate", "abuse_type": "MSG", "exposure": 1},
    )

    def select(query: str) -> set[str]:
        return {case["reported_id"] for case in review.walk(query)}

    assert select("reason=scam") == set(names[:2])
    assert select("abuse_type=MSG") == {names[0], names[2]}
    assert select("abuse_type=PRF&reason=hate") == set()
    assert select("reason=%25") == set()
    (leased,) = review.lease("carl", 1)
    assert select("leased_by=carl") == {leased["reported_id"]}
    assert select("leased_by=nobody") == set()
    escalated = next(case for case in review.walk() if case["reported_id"] == names[2])
    review.decide(escalated["case_id"], escalated["leased_by"] or "dora", "escalated")
    assert select("status=escalated") == {names[2]}
    assert select("") == set(names[:2])


def test_sixteen_moderators_get_each_case_once(review: Review) -> None:
    cases = review.open(150)

    def work(moderator: str) -> list[str]:
        taken: list[str] = []
        while leased := review.lease(moderator, 7):
            taken += ids(leased)
        return taken

    with ThreadPoolExecutor(16) as pool:
        taken = list(pool.map(work, [make_name("moderator") for _ in range(16)]))
    assert Counter(case_id for some in taken for case_id in some) == Counter(ids(cases))


def test_a_lease_takes_ten_for_ten_minutes_where_nothing_is_said(review: Review) -> None:
    cases = review.open(12)
    leased = review.succeed("/queue/lease", {"moderator": "ann"})["cases"]
    assert len(leased) == 10
    assert list(leased[0]) == LISTED
    assert {case["leased_by"] for case in leased} == {"ann"}
    assert ids(leased) == [case["case_id"] for case in cases if case["case_id"] in ids(leased)]
    (ends,) = {case["lease_expires_at"] for case in leased}
    lasts = datetime.fromisoformat(ends) - datetime.fromisoformat(leased[0]["first_reported_at"])
    assert timedelta(seconds=599) < lasts < timedelta(seconds=660)
    assert ids(review.walk("leased_by=ann")) == ids(leased)
    assert len(review.lease("bob")) == 2
    assert review.lease("bob") == []


def test_a_lease_that_is_over_is_nobodys(review: Review) -> None:
    review.open(1)
    (leased,) = review.lease("ann", 1, lease_seconds=1)
    assert review.lease("bob") == []
    time.sleep(1.1)
    assert review.page("leased_by=ann")["cases"] == []
    assert review.walk()[0]["leased_by"] is None
    assert ids(review.lease("bob")) == [leased["case_id"]]
    assert review.extend("ann", [leased["case_id"]]) == []


def test_a_heartbeat_extends_what_is_theirs(review: Review) -> None:
    review.open(3)
    mine, theirs = review.lease("ann", 1, 60), review.lease("bob", 1, 60)
    free = next(case for case in review.walk() if case["leased_by"] is None)
    named = [theirs[0]["case_id"], free["case_id"], mine[0]["case_id"].upper(), UNKNOWN, "no id at all"]
    assert review.extend("ann", named, 3_600) == ids(mine)
    (after,) = review.page("leased_by=ann")["cases"]
    ends, ended = (datetime.fromisoformat(case["lease_expires_at"]) for case in (after, mine[0]))
    assert ends - ended > timedelta(seconds=3_500)
    assert review.page("leased_by=bob")["cases"] == theirs


def test_a_released_case_goes_to_others_first(review: Review) -> None:
    cases = review.open(2)
    (put_aside,) = review.lease("ann", 1)
    wish = {"moderator": "ann", "case_ids": ids(cases), "lease_seconds": 60}
    assert review.succeed("/queue/release", wish) == {"case_ids": [put_aside["case_id"]]}
    assert {case["leased_by"] for case in review.walk()} == {None}
    (offered,) = review.lease("ann", 1)
    assert offered["case_id"] != put_aside["case_id"]
    assert ids(review.lease("bob", 1)) == [put_aside["case_id"]]
    assert review.release("bob", [put_aside["case_id"]]) == [put_aside["case_id"]]
    assert ids(review.lease("ann", 1)) == [put_aside["case_id"]]  # nothing else waits


def test_nobody_is_leased_their_own_cause(review: Review) -> None:
    review.clear()
    about, by = make_name("target"), make_name("reporter")
    review.report(
        {"reported_id": about, "reporter_id": make_name("reporter")},
        {"reported_id": make_name("target"), "reporter_id": by},
    )
    about_case = next(case for case in review.walk() if case["reported_id"] == about)
    assert about_case["case_id"] not in ids(review.lease(about))
    for case in review.page(f"leased_by={about}")["cases"]:
        assert review.release(about, [case["case_id"]])
    assert ids(review.lease(by)) == [about_case["case_id"]]


def test_so_many_leases_may_stand_and_no_more(package: Path) -> None:
    with running_server("--model", str(package), leases_per_moderator=2, leases_in_all=3) as server:
        review = Review(server)
        review.open(5)
        assert len(review.lease("ann", 5)) == 2
        refused = review.post("/queue/lease", {"moderator": "ann"})
        assert check_problem(refused, 429, "too_many_leases")["detail"].startswith("ann holds 2 cases")
        assert int(refused.headers["Retry-After"]) > 0
        (leased,) = review.lease("bob", 5)
        check_problem(review.post("/queue/lease", {"moderator": "carl"}), 429, "too_many_leases")
        review.decide(leased["case_id"], "bob")
        assert len(review.lease("carl")) == 1


@pytest.mark.parametrize("text", ["a\x00b", "\ud800", "a\x85b"])
def test_text_that_one_database_would_refuse_is_refused_on_both(review: Review, text: str) -> None:
    (case,) = review.open(1)
    where = f"/case/{case['case_id']}"
    decision = {"moderator": "ann", "decision": "actioned"}
    for path, body, field in (
        ("/queue/lease", {"moderator": text}, "moderator"),
        ("/queue/heartbeat", {"moderator": text, "case_ids": ["a"]}, "moderator"),
        ("/queue/release", {"moderator": "ann", "case_ids": [text]}, "case_ids[0]"),
        (f"{where}/decision", decision | {"reason": text}, "reason"),
        (f"{where}/decision", decision | {"note": text}, "note"),
        (f"{where}/reopen", {"moderator": "ann", "reason": text}, "reason"),
    ):
        problem = check_problem(review.post(path, body), 422, "invalid_body")
        assert [error["path"] for error in problem["errors"]] == [f"body.{field}"]
    assert review.walk() == [case]


@pytest.mark.parametrize(
    "path",
    ["/queue/lease", "/queue/heartbeat", "/queue/release", "/case/{case_id}/decision", "/case/x/reopen"],
)
def test_a_body_that_can_not_be_read_changes_nothing(review: Review, path: str) -> None:
    (case,) = review.open(1)
    path = path.format(case_id=case["case_id"])
    assert len(check_problem(review.post(path, {"x": 1}), 422, "invalid_body")["errors"]) >= 2
    check_problem(review.post(path, b"{"), 400, "malformed_body")
    check_problem(review.post(path, b""), 400, "malformed_body")
    check_problem(review.post(path, b" " * (MOST_BYTES + 1)), 413, "body_too_large")
    check_problem(review.ask("POST", f"{path}?moderator=ann", {"moderator": "ann"}), 422, "invalid_query")
    form = {**JSON_TYPE, "Content-Type": "text/plain"}
    check_problem(review.server.ask("POST", path, b"{}", form), 415, "unsupported_media_type")
    for method in ("GET", "PUT", "DELETE"):
        answer = review.ask(method, path)
        check_problem(answer, 405, "method_not_allowed")
        assert answer.headers["Allow"] == "POST"
    assert review.walk() == [case]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("limit=0", "invalid_query"),
        ("status=actioned", "invalid_query"),
        ("reason=%00", "invalid_query"),
        ("leased_by=%ED%A0%80", "invalid_query"),
        ("page=2", "invalid_query"),
        ("cursor=AAAA", "invalid_cursor"),
    ],
)
def test_a_bad_query_is_refused(review: Review, query: str, code: str) -> None:
    check_problem(review.ask("GET", f"/queue?{query}"), 422, code)


def test_what_moderators_do_is_counted(package: Path) -> None:
    with running_server("--model", str(package)) as server:
        review = Review(server)
        review.open(3)
        leased = review.lease("ann", 2)
        review.decide(leased[0]["case_id"], decision="actioned")
        review.decide(leased[1]["case_id"], decision="escalated")
        check_problem(review.decide(leased[0]["case_id"], decision="dismissed"), 409, "case_conflict")
        told = server.get("/metrics").body.decode()
    assert "flagrank_cases_leased_total 2.0" in told
    assert 'flagrank_decisions_total{decision="actioned"} 1.0' in told
    assert 'flagrank_decisions_total{decision="escalated"} 1.0' in told
    assert "dismissed" not in told
    assert 'flagrank_http_requests_total{route="/case/",status="409"} 1.0' in told
    assert 'flagrank_http_requests_total{route="/queue/lease",status="200"} 1.0' in told
