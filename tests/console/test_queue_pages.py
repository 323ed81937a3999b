"""The list of cases in a browser, on a real store."""

import json
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from flagrank.triage.review import Verdict
from tests.case_store import arrival
from tests.console.conftest import Console, Visitor
from tests.console.reviewing import open_cases

ROWS = "table.queue tbody tr"


def test_the_console_leads_to_the_queue(visitor: Visitor) -> None:
    page = visitor.open("")
    expect(page.get_by_role("heading", level=1)).to_have_text("Queue")
    expect(page.get_by_text("Done: the queue is empty.")).to_be_visible()


def test_cases_are_listed_by_urgency_with_what_a_moderator_asks(visitor: Visitor, console: Console) -> None:
    console.cases.take_in(
        [
            arrival("meek", 0.2, "r1", reason="spam"),
            arrival("grim", 0.9, "r1", reason="threat"),
            arrival("grim", 0.8, "r2", reason="threat"),
        ]
    )
    console.cases.lease("bob", 1)
    page = visitor.open("/queue")
    expect(page.locator(ROWS)).to_have_count(2)
    first, second = (row.inner_text() for row in page.locator(ROWS).all())
    for text in ("grim", "threat", "Reported by 2 reporters", "in 3 h 59 min", "bob"):
        assert text in first
    for text in ("meek", "spam", "in 2 d 23 h", "nobody"):
        assert text in second


def test_pages_follow_each_other_by_cursor(visitor: Visitor, console: Console) -> None:
    ranked = [case.case_id for case in console.cases.open(120)]
    page = visitor.open("/queue")
    seen: list[str] = []
    for number in range(3):
        seen += page.locator(ROWS).evaluate_all("rows => rows.map(row => row.dataset.case)")
        if number == 0:
            console.cases.decide(ranked[3])
        if number < 2:
            page.get_by_role("link", name="Less urgent").click()
            page.wait_for_url("**cursor=**")
            expect(page.locator(ROWS).first).not_to_have_attribute("data-case", seen[-50])
    assert seen == ranked
    page.get_by_role("link", name="Most urgent").click()
    expect(page.locator(ROWS).first).to_have_attribute("data-case", ranked[0])


def test_filters_by_reason_status_and_holder(visitor: Visitor, console: Console) -> None:
    console.cases.take_in(
        [arrival("a", 0.9, reason="scam"), arrival("b", 0.5, reason="spam"), arrival("c", 0.1, reason="scam")]
    )
    console.cases.decide(console.cases.find("c").case_id, verdict=Verdict.ESCALATED)
    console.cases.lease("bob", 1)
    page = visitor.open("/queue")
    page.get_by_text("Filter", exact=True).first.click()
    page.get_by_label("Reason").select_option("spam")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator(ROWS)).to_have_count(1)
    expect(page.locator(ROWS)).to_contain_text("b")
    for query, target in (("leased_by=bob", "a"), ("status=escalated", "c"), ("status=x&reason=spam", "b")):
        visitor.open(f"/queue?{query}")
        expect(page.locator(ROWS)).to_have_count(1)
        expect(page.locator(f"{ROWS} th a")).to_have_text(target)
    visitor.open("/queue?reason=hate")
    expect(page.get_by_text("No case matches.")).to_be_visible()


def test_done_is_said_of_an_empty_queue_only(visitor: Visitor, console: Console) -> None:
    (case,) = console.cases.open(1)
    page = visitor.open("/queue?leased_by=nobody")
    expect(page.get_by_text("No case matches.")).to_be_visible()
    console.cases.decide(case.case_id)
    visitor.open("/queue?leased_by=nobody")
    expect(page.get_by_text("No case matches.")).to_be_visible()
    visitor.open("/queue")
    expect(page.get_by_text("Done: the queue is empty.")).to_be_visible()


def test_a_cursor_that_is_none_is_told(visitor: Visitor) -> None:
    page = visitor.open("/queue?cursor=nonsense")
    expect(page.get_by_role("alert").filter(has_text="cursor")).to_be_visible()
    expect(page.get_by_role("link", name="Back to Queue")).to_be_visible()


def test_what_is_new_is_told_and_no_row_moves(visitor: Visitor, console: Console) -> None:
    open_cases(console.cases, ["a", "b"])
    page = visitor.open("/queue")
    expect(page.locator("#count")).to_have_text("2 open cases")
    console.cases.take_in([arrival("urgent", 0.99)])
    expect(page.locator("#count")).to_have_text("3 open cases")
    expect(page.get_by_role("status")).to_contain_text("1 new among the first 20.")
    expect(page.locator(ROWS)).to_have_count(2)
    page.get_by_role("link", name="Show them").click()
    expect(page.locator(ROWS).first).to_contain_text("urgent")


def test_the_key_that_starts_is_a_letter_in_a_field(visitor: Visitor, console: Console) -> None:
    open_cases(console.cases, ["a"])
    page = visitor.open("/queue?leased_by=x")
    page.get_by_label("Held by").press_sequentially("rr")
    assert page.url.endswith("/queue?leased_by=x")
    page.get_by_role("heading", level=1).click()
    page.keyboard.press("r")
    page.wait_for_url("**/review")


def test_news_are_server_sent_events(console: Console) -> None:
    ranked = [case.case_id for case in console.cases.open(3)]
    connection = HTTPConnection(urlsplit(console.url).netloc, timeout=10)
    connection.request("GET", "/console/queue/news")
    answer = connection.getresponse()
    assert answer.headers["content-type"].startswith("text/event-stream")
    name, _, data = answer.readline().decode().partition(": ")
    assert name == "data"
    assert json.loads(data) == {"open": 3, "words": "3 open cases", "top": ranked}
    assert answer.readline() == b"\n"
    console.cases.decide(ranked[0])
    assert json.loads(answer.readline().decode().partition(": ")[2])["open"] == 2
    connection.close()


@pytest.mark.parametrize("path", ["cases", "hold", "release", "decide", "undo"])
@pytest.mark.parametrize("body", ["", "[]", "{", '{"moderator": "bob"}', '{"moderator": 1}'])
def test_a_page_of_another_moderator_or_none_changes_nothing(console: Console, path: str, body: str) -> None:
    connection = HTTPConnection(urlsplit(console.url).netloc, timeout=10)
    headers = {"Cookie": "flagrank_moderator=ann", "Accept": "application/json"}
    connection.request("POST", f"/console/review/{path}", body, headers)
    answer = connection.getresponse()
    assert answer.status == 422
    assert "Load the page again." in json.loads(answer.read())["detail"]
    connection.close()
