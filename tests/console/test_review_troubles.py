"""What a moderator sees when the network, a lease, another moderator or the session gets in between."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from flagrank.triage.api_key import Scope
from flagrank.triage.review import CaseStatus, QueueQuery
from tests.case_store import arrival
from tests.console.conftest import Console, Visitor, visit
from tests.console.reviewing import (
    SAVED,
    SHOWN,
    come_back,
    decide,
    find_notice,
    open_cases,
    read_case_id,
    start,
    status_of,
)
from tests.console.test_access import sign_in


def test_a_lost_network_is_shown_and_survived(visitor: Visitor, console: Console) -> None:
    open_cases(console.cases, ["a", "b", "c", "d"])
    page = start(visitor)
    expect(page.locator(".case")).to_have_count(3)
    page.context.set_offline(True)
    first, second = decide(page, "a"), decide(page, "d")
    lost = find_notice(page, "The server does not answer: what you decide is kept")
    expect(lost).to_be_visible()
    expect(page.locator("#saved")).to_have_text("2 decided here, 2 not sent yet")
    assert status_of(console, first) is CaseStatus.OPEN
    page.context.set_offline(False)
    expect(page.locator("#saved")).to_have_text(SAVED)
    expect(lost).to_be_hidden()
    assert (status_of(console, first), status_of(console, second)) == ("actioned", "dismissed")
    expect(page.locator(".case")).to_have_count(2)
    visitor.complaints.clear()


def test_a_decision_that_was_not_sent_is_sent_by_the_next_page(visitor: Visitor, console: Console) -> None:
    open_cases(console.cases, ["a", "b"])
    page = start(visitor)
    expect(page.locator(".case")).to_have_count(2)
    page.context.set_offline(True)
    case_id = decide(page, "a")
    page.close()
    page.context.set_offline(False)
    again = page.context.new_page()
    again.goto(f"{console.url}/console/review")
    expect(again.locator(SHOWN).get_by_role("heading", level=2)).to_contain_text("b")
    expect(again.locator("#saved")).to_have_text(SAVED)
    assert status_of(console, case_id) is CaseStatus.ACTIONED
    visitor.complaints.clear()


def test_a_decision_whose_answer_was_lost_is_sent_again_and_taken_once(
    visitor: Visitor, console: Console
) -> None:
    open_cases(console.cases, ["a", "b"])
    page = start(visitor)
    answered: list[int] = []

    def lose_first(route: Route) -> None:
        answer = route.fetch()
        answered.append(answer.status)
        route.abort() if len(answered) == 1 else route.fulfill(response=answer)

    page.route("**/review/decide", lose_first)
    case_id = decide(page, "a")
    expect(page.locator("#saved")).to_have_text(SAVED)
    assert answered == [200, 200]
    assert len(console.cases.read(case_id).decisions) == 1
    visitor.complaints.clear()


def test_an_expired_lease_is_explained_and_the_case_may_still_be_decided(
    visitor: Visitor, console: Console
) -> None:
    open_cases(console.cases, ["a", "b"])
    page = start(visitor)
    expect(page.locator(".case")).to_have_count(2)
    case_id = read_case_id(page)
    page.route("**/review/cases", lambda route: route.abort())  # or it would be leased anew
    console.cases.let_leases_run_out()
    come_back(page)
    expired = find_notice(page, "Your hold on this case is over")
    expect(expired).to_be_visible()
    decide(page, "a")
    expect(expired).to_be_hidden()
    expect(page.locator("#saved")).to_have_text(SAVED)
    assert status_of(console, case_id) is CaseStatus.ACTIONED
    visitor.complaints.clear()


def test_a_case_that_nobody_took_meanwhile_is_held_again(visitor: Visitor, console: Console) -> None:
    open_cases(console.cases, ["a", "b"])
    page = start(visitor)
    expect(page.locator(".case")).to_have_count(2)
    console.cases.let_leases_run_out()
    with page.expect_response("**/review/cases"):
        come_back(page)
    expect(find_notice(page, "Your hold on this case is over")).to_be_hidden()
    expect(page.locator(".case")).to_have_count(2)
    held = console.cases.list(QueueQuery(leased_by="ann"))
    assert [case.reported_id for case in held] == ["a", "b"]


def test_a_case_that_went_to_another_is_not_decided_and_that_is_told(
    visitor: Visitor, console: Console
) -> None:
    open_cases(console.cases, ["a", "b", "c"])
    page = start(visitor)
    case_id = read_case_id(page)
    console.cases.let_leases_run_out()
    assert [case.case_id for case in console.cases.lease("bob", 1)] == [case_id]
    come_back(page)
    expect(find_notice(page, "Your hold on this case is over")).to_be_visible()
    decide(page, "a")
    refused = find_notice(page, "Your decision was not taken. bob holds the case.")
    expect(refused.get_by_role("link", name="Look at the case")).to_have_attribute(
        "href", f"/console/cases/{case_id}"
    )
    assert status_of(console, case_id) is CaseStatus.OPEN
    refused.get_by_role("button", name="Close").click()
    expect(refused).to_be_hidden()
    expect(page.locator(SHOWN).get_by_role("heading", level=2)).to_contain_text("b")


def test_preloaded_cases_that_went_to_another_are_never_shown(visitor: Visitor, console: Console) -> None:
    open_cases(console.cases, ["a", "b", "c"])
    page = start(visitor)
    expect(page.locator(".case")).to_have_count(3)
    console.cases.let_leases_run_out()
    console.cases.lease("bob", 3)
    come_back(page)
    expect(page.locator(".case")).to_have_count(1)
    decide(page, "s")
    expect(page.get_by_text("No case is free for you just now")).to_be_visible()


def test_an_undo_that_came_too_late_is_told(visitor: Visitor, console: Console) -> None:
    open_cases(console.cases, ["a", "b"])
    page = start(visitor)
    case_id = decide(page, "a")
    expect(page.locator("#saved")).to_have_text(SAVED)
    console.cases.take_in([arrival("a", 0.1)])
    newer = console.cases.find("a").case_id
    page.keyboard.press("u")
    expect(find_notice(page, f"A newer case on the same target is open: {newer}")).to_be_visible()
    assert status_of(console, case_id) is CaseStatus.ACTIONED
    expect(page.locator(f'[data-case="{case_id}"]')).to_have_count(0)


def test_undo_waits_for_the_decision_that_it_undoes(visitor: Visitor, console: Console) -> None:
    open_cases(console.cases, ["a", "b", "c"])
    page = start(visitor)
    expect(page.locator(".case")).to_have_count(3)
    page.context.set_offline(True)
    case_id = decide(page, "a")
    page.keyboard.press("u")
    expect(page.locator(f'{SHOWN}[data-case="{case_id}"]')).to_be_visible()
    decide(page, "e")
    page.context.set_offline(False)
    expect(page.locator("#saved")).to_have_text("1 decided here, all saved")
    assert status_of(console, case_id) is CaseStatus.ESCALATED
    visitor.complaints.clear()


def test_signing_out_keeps_what_was_decided(visitor: Visitor, console: Console) -> None:
    open_cases(console.cases, ["a", "b"])
    secret = console.keys.create("ann", Scope.REVIEW, moderator="ann")
    page = visitor.open("/review")
    sign_in(page, secret)
    visitor.open("/review")
    cookies: Any = page.context.cookies()
    read_case_id(page)
    page.context.clear_cookies()
    case_id = decide(page, "d")
    notice = find_notice(page, "You are signed out")
    expect(notice.get_by_role("link", name="Sign in")).to_be_visible()
    assert status_of(console, case_id) is CaseStatus.OPEN
    page.context.add_cookies(cookies)
    expect(page.locator("#saved")).to_have_text(SAVED)
    expect(notice).to_be_hidden()
    assert status_of(console, case_id) is CaseStatus.DISMISSED


def find_shifts(page: Page) -> float:
    """The sum of all layout shifts since the page was opened, those after a key included."""
    return float(
        page.evaluate(
            """() => new Promise(done => new PerformanceObserver(list =>
              done(list.getEntries().reduce((sum, one) => sum + one.value, 0)))
              .observe({type: 'layout-shift', buffered: true}) || setTimeout(() => done(0), 500))"""
        )
    )


@pytest.mark.parametrize("width", [1_280, 360])
def test_nothing_shifts_while_cases_come_and_go(browser: Browser, console: Console, width: int) -> None:
    open_cases(console.cases, [f"t{number}" for number in range(12)])
    with visit(browser, console, viewport={"width": width, "height": 800}) as visitor:
        page = start(visitor)
        for key in "adesad":
            decide(page, key)
            expect(page.locator("#saved")).to_have_text(SAVED)
        page.context.set_offline(True)
        decide(page, "a")
        expect(find_notice(page, "The server does not answer")).to_be_visible()
        assert find_shifts(page) == 0
        page.context.set_offline(False)
        visitor.open("/queue")
        console.cases.take_in([arrival("urgent", 0.99)])
        expect(page.get_by_role("link", name="Show them")).to_be_visible()
        assert find_shifts(page) == 0
        visitor.complaints.clear()
