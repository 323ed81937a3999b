"""One case over HTTP: what it shows, who may decide it, and what a decision does."""

import math
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.api.model_server import Models
from tests.api.problem_checks import check_problem
from tests.api.review_server import Document, Review, make_name
from tests.api.running_server import REPORT, running_server
from tests.api.test_queue import LISTED, UNKNOWN

ADDED = ["reports", "received", "scores", "explanations", "explained_by", "history"]


def open_one(review: Review, **fields: object) -> Document:
    """A case of one report."""
    review.clear()
    review.report({"reported_id": make_name("target"), "reporter_id": make_name("reporter")} | fields)
    (case,) = review.walk()
    return case


def test_a_case_shows_its_reports_with_scores_and_explanations(review: Review) -> None:
    review.clear()
    target = make_name("target")
    sent = [
        {
            "report_id": make_name("report"),
            "reporter_id": make_name("reporter"),
            "reported_id": target,
            "report_text_len": 40 * number,
            "content_url": "https://tools.example.org/m-88",
            "content_text": "<b>line\n\u202e</b>" if number else "",
            "reason": "scam",
        }
        for number in range(7)
    ]
    review.report(*sent)
    (case,) = review.walk()
    shown = review.show(case["case_id"])
    assert list(shown) == [*LISTED, *ADDED]
    assert {name: shown[name] for name in LISTED} == case
    by_id = {one["report_id"]: one for one in sent}
    assert len(shown["reports"]) == len(shown["received"]) == len(shown["scores"]) == len(sent)
    for report in shown["reports"]:
        assert REPORT | by_id[report["report_id"]] == report
    assert shown["scores"] == sorted(shown["scores"], reverse=True)
    scores = review.server.predict([REPORT | one for one in shown["reports"]], review.headers).document
    assert shown["scores"] == scores["scores"]
    assert shown["explained_by"] == scores["model"] == shown["received"][0]["model"]
    assert shown["explanations"][5:] == [None, None]
    for score, explanation in zip(shown["scores"], shown["explanations"][:5], strict=False):
        total = explanation["base_value"] + sum(explanation["contributions"].values())
        assert total == pytest.approx(math.log(score / (1 - score)))
    assert shown["history"] == []


def test_a_decision_is_taken_once(review: Review) -> None:
    review.open(2)
    (case,) = review.lease("ann", 1)
    case_id = case["case_id"]
    decided = review.decide(case_id, reason="asks for money", note="two\nlines")
    assert decided.status == 200
    assert list(decided.document) == LISTED
    assert decided.document["status"] == "actioned"
    assert decided.document["leased_by"] is None
    assert decided.document["decided_at"] is not None
    again = review.decide(case_id, reason="another word")
    assert (again.status, again.document) == (200, decided.document)
    assert review.decide(case_id, "bob").status == 200
    refused = check_problem(review.decide(case_id, decision="dismissed"), 409, "case_conflict")
    assert "actioned" in refused["detail"]
    check_problem(review.decide(case_id, decision="escalated"), 409, "case_conflict")
    lease, decision = review.show(case_id)["history"]
    assert (lease["event"], lease["moderator"], lease["lease_no"]) == ("lease", "ann", 1)
    assert lease["draw"] in {"priority", "deadline", "blind"}
    assert lease["ended_at"] == decision["at"] == decided.document["decided_at"]
    assert decision == {
        "event": "decision",
        "at": decision["at"],
        "moderator": "ann",
        "decision": "actioned",
        "decision_no": 1,
        "reason": "asks for money",
        "note": "two\nlines",
        "is_reversed": False,
        "reversed_at": None,
        "reversed_by": None,
        "reversal_reason": None,
    }
    assert case_id not in [one["case_id"] for one in review.walk()]


def test_a_case_that_another_holds_is_theirs_to_decide(review: Review) -> None:
    case_id = open_one(review)["case_id"]
    review.lease("ann", 1)
    refused = review.decide(case_id, "stranger")
    assert check_problem(refused, 409, "case_conflict")["detail"].startswith("ann holds the case.")
    assert review.show(case_id)["leased_by"] == "ann"
    assert review.decide(case_id, "ann").status == 200


def test_a_case_that_nobody_holds_may_be_decided(review: Review) -> None:
    case_id = open_one(review)["case_id"]
    review.lease("ann", 1, lease_seconds=1)
    time.sleep(1.1)
    assert review.decide(case_id, "bob", "dismissed").document["status"] == "dismissed"
    assert review.show(case_id)["history"][-1]["moderator"] == "bob"


def test_how_a_case_was_drawn_is_shown_once_it_is_decided(review: Review) -> None:
    case_id = open_one(review)["case_id"]
    review.lease("ann", 1)
    assert [event["draw"] for event in review.show(case_id)["history"]] == [None]
    review.decide(case_id, "ann", "escalated")
    assert review.show(case_id)["history"][0]["draw"] is None
    review.decide(case_id, "bob", "dismissed")
    assert review.show(case_id)["history"][0]["draw"] is not None


def test_an_escalated_case_is_anyones_and_drawn_by_nobody(review: Review) -> None:
    case_id = open_one(review)["case_id"]
    review.lease("ann", 1)
    escalated = review.decide(case_id, "ann", "escalated", note="ask the lead").document
    assert (escalated["status"], escalated["leased_by"]) == ("escalated", None)
    assert review.walk() == []
    assert [case["case_id"] for case in review.walk("status=escalated")] == [case_id]
    assert review.lease("bob") == []
    assert review.decide(case_id, "carl", "escalated").status == 200
    assert review.decide(case_id, "carl", "actioned").document["status"] == "actioned"
    assert [event["event"] for event in review.show(case_id)["history"]] == ["lease", "decision", "decision"]


def test_reopening_reverses_the_decision_and_keeps_it(review: Review) -> None:
    case_id = open_one(review)["case_id"]
    review.decide(case_id, "ann")
    reopened = review.reopen(case_id, "bob", "the appeal is right")
    assert reopened.status == 200
    assert reopened.document == next(case for case in review.walk() if case["case_id"] == case_id)
    assert (reopened.document["status"], reopened.document["decided_at"]) == ("open", None)
    (decision,) = review.show(case_id)["history"]
    assert decision["is_reversed"]
    assert (decision["reversed_by"], decision["reversal_reason"]) == ("bob", "the appeal is right")
    check_problem(review.reopen(case_id), 409, "case_conflict")
    assert review.decide(case_id, "carl", "dismissed").document["status"] == "dismissed"
    assert [event["decision_no"] for event in review.show(case_id)["history"]] == [1, 2]


def test_reopening_is_refused_where_a_newer_case_is_open(review: Review) -> None:
    older = open_one(review)
    review.decide(older["case_id"])
    review.report({"reported_id": older["reported_id"]})
    (newer,) = review.walk()
    assert newer["case_id"] != older["case_id"]
    refused = check_problem(review.reopen(older["case_id"]), 409, "case_conflict")
    assert newer["case_id"] in refused["detail"]
    review.decide(newer["case_id"])
    assert review.reopen(older["case_id"]).status == 200


def test_a_report_made_before_the_decision_is_answered_by_it(review: Review) -> None:
    case = open_one(review)
    made_at = (datetime.now(UTC) - timedelta(minutes=5)).isoformat()
    review.decide(case["case_id"])
    review.report({"reported_id": case["reported_id"], "reported_at": made_at})
    assert review.walk() == []
    shown = review.show(case["case_id"])
    assert sorted(one["is_answered"] for one in shown["received"]) == [False, True]
    assert shown["n_reports"] == 2


def test_nobody_judges_their_own_cause(review: Review) -> None:
    about, by = make_name("target"), make_name("reporter")
    case_id = open_one(review, reported_id=about, reporter_id=by)["case_id"]
    for judge in (about, by):
        check_problem(review.decide(case_id, judge), 403, "own_cause")
        check_problem(review.decide(case_id, judge, "escalated"), 403, "own_cause")
    assert review.decide(case_id, "ann", "dismissed").status == 200
    for judge in (about, by):
        detail = check_problem(review.reopen(case_id, judge), 403, "own_cause")["detail"]
        assert detail.startswith(("The case is about", f"{by} is one of those who reported"))
        check_problem(review.decide(case_id, judge, "dismissed"), 403, "own_cause")
    assert review.show(case_id)["status"] == "dismissed"


@pytest.mark.parametrize(
    "case_id", [UNKNOWN, "x", "%00", "0", "a" * 5_000, "' OR 1=1 --".replace(" ", "%20")]
)
def test_no_case_is_not_found(review: Review, case_id: str) -> None:
    for answer in (
        review.ask("GET", f"/case/{case_id}"),
        review.ask("HEAD", f"/case/{case_id}"),
        review.decide(case_id),
        review.reopen(case_id),
    ):
        assert answer.status == 404
    check_problem(review.decide(case_id), 404, "case_not_found")


def test_only_what_there_is_of_a_case_is_answered(review: Review) -> None:
    case_id = open_one(review)["case_id"]
    check_problem(review.ask("GET", "/case"), 404, "not_found")
    check_problem(review.ask("GET", f"/case/{case_id}/reports"), 404, "not_found")
    check_problem(review.ask("GET", f"/case/{case_id}?explain=true"), 422, "invalid_query")
    answer = review.ask("DELETE", f"/case/{case_id}")
    check_problem(answer, 405, "method_not_allowed")
    assert answer.headers["Allow"] == "GET, HEAD"
    assert review.ask("GET", f"/case/{case_id.upper()}").document["case_id"] == case_id


def test_a_new_champion_explains_what_an_old_one_has_scored(package: Path) -> None:
    with running_server("--model", str(package)) as server:
        review, models = Review(server), Models(server)
        case_id = open_one(review)["case_id"]
        second = models.publish_new("second")
        models.promote(second)
        models.wait_for(second)
        shown = review.show(case_id)
        assert shown["received"][0]["model"]["version"] == "1"
        assert shown["explained_by"]["version"] == str(second)
        assert shown["explanations"][0]["sentence"]
