"""The page of a moderator, in a browser on a real store."""

import pytest
from playwright.sync_api import Browser, expect

from flagrank.triage.api_key import Scope
from flagrank.triage.review import CaseStatus, QueueQuery, Verdict
from tests.console.conftest import Console, Visitor, visit
from tests.console.reviewing import (
    SAVED,
    SHOWN,
    decide,
    open_cases,
    read_case_id,
    start,
    status_of,
    wait_until_painted,
)
from tests.console.test_access import sign_in


def test_fifty_cases_are_reviewed_by_keyboard_alone(visitor: Visitor, console: Console) -> None:
    ranked = [case.case_id for case in console.cases.open(50)]
    page = visitor.open("/queue")
    page.keyboard.press("r")
    expect(page.get_by_label("Your name")).to_be_focused()
    page.keyboard.type("ann")
    page.keyboard.press("Enter")
    seen = [decide(page, "aade"[number % 4]) for number in range(50)]
    expect(page.get_by_text("Done: the queue is empty.")).to_be_visible()
    expect(page.locator("#saved")).to_have_text("50 decided here, all saved")
    assert seen == ranked
    expected = (CaseStatus.ACTIONED, CaseStatus.ACTIONED, CaseStatus.DISMISSED, CaseStatus.ESCALATED)
    assert [status_of(console, case_id) for case_id in seen] == [expected[n % 4] for n in range(50)]
    assert {one.moderator for case_id in seen for one in console.cases.read(case_id).decisions} == {"ann"}


def test_the_next_case_is_there_before_the_server_has_answered(visitor: Visitor, console: Console) -> None:
    open_cases(console.cases, ["a", "b", "c"])
    page = start(visitor)
    expect(page.locator(".case")).to_have_count(3)
    page.context.set_offline(True)
    decide(page, "a")
    expect(page.locator(SHOWN).get_by_role("heading", level=2)).to_contain_text("b")
    expect(page.get_by_role("status")).to_have_text("Actioned. Next: No reason given · b")
    visitor.complaints.clear()  # Chromium reports each request that failed


def test_two_moderators_never_see_the_same_case(browser: Browser, console: Console) -> None:
    console.cases.open(24)
    seen: dict[str, set[str]] = {"ann": set(), "bob": set()}
    with visit(browser, console) as ann, visit(browser, console) as bob:
        pages = {name: start(one, name) for name, one in (("ann", ann), ("bob", bob))}
        for number in range(24):
            name = "bob" if number % 3 else "ann"
            page = pages[name]
            expect(page.locator(SHOWN)).to_have_count(1)
            here = page.locator(".case").evaluate_all("all => all.map(one => one.dataset.case)")
            seen[name].update(here)
            if sum(map(len, seen.values())) == 24:
                break
            decide(page, "d")
    assert seen["ann"].isdisjoint(seen["bob"])
    assert min(map(len, seen.values())) > 3


def test_keys_typed_into_a_note_decide_nothing(visitor: Visitor, console: Console) -> None:
    open_cases(console.cases, ["a", "b"])
    page = start(visitor)
    case_id = read_case_id(page)
    wait_until_painted(page)
    page.keyboard.press("n")
    expect(page.get_by_label("Note, kept with your decision")).to_be_focused()
    page.keyboard.type("a sad day e? ubs")
    page.keyboard.press("Enter")
    page.keyboard.type("d")
    assert read_case_id(page) == case_id
    page.keyboard.press("Escape")
    expect(page.locator(SHOWN).get_by_role("heading", level=2)).to_be_focused()
    decide(page, "a")
    expect(page.locator("#saved")).to_have_text(SAVED)
    (decision,) = console.cases.read(case_id).decisions
    assert (decision.verdict, decision.note) == (Verdict.ACTIONED, "a sad day e? ubs\nd")
    expect(page.get_by_label("Note, kept with your decision")).to_be_hidden()
    assert page.locator("#note").input_value() == ""


@pytest.mark.parametrize("keys", ["Control+a", "Alt+d", "Meta+e", "Control+Shift+d"])
def test_keys_with_modifiers_decide_nothing(visitor: Visitor, console: Console, keys: str) -> None:
    open_cases(console.cases, ["a", "b"])
    page = start(visitor)
    case_id = read_case_id(page)
    wait_until_painted(page)
    page.keyboard.press(keys)
    wait_until_painted(page)
    assert read_case_id(page) == case_id
    assert page.locator("#saved").inner_text().startswith("0 decided")


def test_single_keys_can_be_turned_off_and_stay_off(visitor: Visitor, console: Console) -> None:
    open_cases(console.cases, ["a", "b"])
    page = start(visitor)
    case_id = read_case_id(page)
    page.keyboard.press("?")
    page.get_by_label("Single keys decide").uncheck()
    page.keyboard.press("a")  # while the keys are shown, none decides either
    page.keyboard.press("Escape")
    page.reload()
    assert read_case_id(page) == case_id
    wait_until_painted(page)
    page.keyboard.press("a")
    wait_until_painted(page)
    assert read_case_id(page) == case_id
    page.get_by_role("button", name="Action").click()
    expect(page.locator("#saved")).to_have_text("1 decided here, all saved")


def test_undo_opens_the_case_again_and_shows_it(visitor: Visitor, console: Console) -> None:
    open_cases(console.cases, ["a", "b", "c", "d"])
    page = start(visitor)
    case_id = decide(page, "a")
    wait_until_painted(page)
    page.keyboard.press("u")
    expect(page.locator(f'{SHOWN}[data-case="{case_id}"]')).to_be_visible()
    expect(page.locator("#saved")).to_have_text("0 decided here, all saved")
    assert status_of(console, case_id) is CaseStatus.OPEN
    decide(page, "d")
    expect(page.locator("#saved")).to_have_text("1 decided here, all saved")
    detail = console.cases.read(case_id)
    assert detail.case.status is CaseStatus.DISMISSED
    assert [(one.verdict, one.reversed_by) for one in detail.decisions] == [
        ("actioned", "ann"),
        ("dismissed", None),
    ]


def test_undo_without_a_decision_says_so(visitor: Visitor, console: Console) -> None:
    open_cases(console.cases, ["a"])
    page = start(visitor)
    read_case_id(page)
    page.keyboard.press("u")
    expect(page.get_by_role("status")).to_contain_text("Nothing that was decided on this page")


def test_a_case_put_aside_goes_to_another_and_brings_another(visitor: Visitor, console: Console) -> None:
    open_cases(console.cases, ["a", "b", "c", "d", "e", "f"])
    page = start(visitor)
    expect(page.locator(".case")).to_have_count(3)
    with page.expect_response("**/review/release"):
        case_id = decide(page, "s")
    expect(page.locator(SHOWN).get_by_role("heading", level=2)).to_contain_text("b")
    expect(page.locator(".case")).to_have_count(3)
    assert [case.case_id for case in console.cases.lease("bob", 1)] == [case_id]


def test_looking_at_the_page_leases_nothing_and_loading_again_keeps_the_cases(
    visitor: Visitor, console: Console
) -> None:
    open_cases(console.cases, ["a", "b", "c", "d", "e"])
    visitor.open("/review")
    assert console.cases.list(QueueQuery(leased_by="ann")) == []
    page = start(visitor)
    expect(page.locator(".case")).to_have_count(3)
    first = read_case_id(page)
    with page.expect_response("**/review/cases"):
        page.reload()
    assert read_case_id(page) == first
    expect(page.locator(".case")).to_have_count(3)
    assert len(console.cases.list(QueueQuery(leased_by="ann"))) == 3


def test_a_page_that_is_left_holds_its_cases_for_seconds_only(visitor: Visitor, console: Console) -> None:
    open_cases(console.cases, ["a"])
    page = start(visitor)
    case_id = read_case_id(page)
    before = console.cases.read(case_id).case.lease_expires_at
    page.goto(f"{console.url}/console/queue")
    expect(page.get_by_role("cell", name="ann")).to_be_visible()
    after = console.cases.read(case_id).case.lease_expires_at
    assert before is not None
    assert after is not None
    assert (before - after).total_seconds() > 500


def test_cases_that_come_while_nothing_waits_are_shown_by_themselves(
    visitor: Visitor, console: Console
) -> None:
    page = start(visitor)
    expect(page.get_by_text("Done: the queue is empty.")).to_be_visible()
    open_cases(console.cases, ["a"])
    expect(page.locator(SHOWN).get_by_role("heading", level=2)).to_contain_text("a")


def test_what_was_reported_is_blurred_until_it_is_asked_for(visitor: Visitor, console: Console) -> None:
    open_cases(console.cases, ["a", "b"])
    page = start(visitor)
    text = page.locator(f"{SHOWN} .content")
    expect(text).to_have_css("filter", "blur(6.4px)")
    expect(text).to_have_attribute("aria-hidden", "true")
    page.keyboard.press("b")
    expect(text).to_have_css("filter", "none")
    expect(text).to_have_attribute("aria-hidden", "false")
    decide(page, "a")
    expect(page.locator(f"{SHOWN} .content")).to_have_css("filter", "blur(6.4px)")


def test_the_moderator_of_a_key_reviews_under_that_name(visitor: Visitor, console: Console) -> None:
    open_cases(console.cases, ["a"])
    secret = console.keys.create("front desk", Scope.REVIEW, moderator="käthe 'x'")
    page = visitor.open("/review")
    sign_in(page, secret)
    expect(page.get_by_role("heading", level=1)).to_have_text("Queue")
    visitor.open("/review/name")
    case_id = decide(page, "a")
    expect(page.locator("#saved")).to_have_text(SAVED)
    assert console.cases.read(case_id).decisions[0].moderator == "käthe 'x'"


def test_a_key_without_the_scope_sees_what_is_missing(visitor: Visitor, console: Console) -> None:
    open_cases(console.cases, ["a"])
    secret = console.keys.create("tasks only", Scope.TASKS)
    page = visitor.open("/review")
    sign_in(page, secret)
    case_id = console.cases.list()[0].case_id
    for path in ("/queue", "/review", "/review/name", f"/cases/{case_id}", "/queue/news"):
        visitor.open(path)
        expect(page.get_by_role("alert").filter(has_text="lacks the scope review")).to_be_visible()
    expect(page.get_by_role("link", name="Queue")).to_have_count(0)
    expect(page.get_by_role("link", name="Back to the console")).to_be_visible()


def test_a_moderator_is_never_shown_a_case_about_themselves(visitor: Visitor, console: Console) -> None:
    open_cases(console.cases, ["ann"])
    page = start(visitor)
    expect(page.get_by_text("No case is free for you just now; 1 open case in all")).to_be_visible()
