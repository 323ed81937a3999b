"""One case on its own page, in a browser on a real store."""

import msgspec
import pytest
from playwright.sync_api import Browser, Page, expect

from flagrank.triage.policy import DrawShares
from flagrank.triage.review import CaseStatus, Verdict
from tests.case_store import arrival
from tests.console.conftest import Console, Visitor, visit


def name_moderator(page: Page, visitor: Visitor, name: str = "ann") -> None:
    visitor.open("/review/name")
    page.get_by_label("Your name").fill(name)
    page.get_by_role("button", name="Review under this name").click()


def open_case(console: Console, target: str = "a") -> str:
    console.cases.take_in([arrival(target, 0.9, "r1", reason="scam", content_text="pay me")])
    return console.cases.find(target).case_id


def test_a_case_is_decided_and_opened_again_without_scripts(browser: Browser, console: Console) -> None:
    case_id = open_case(console)
    with visit(browser, console, java_script_enabled=False) as visitor:
        page = visitor.page
        visitor.open("/queue")
        page.get_by_role("link", name="a", exact=True).click()
        page.get_by_role("link", name="Say who you are").click()
        page.get_by_label("Your name").fill("ann")
        page.get_by_role("button", name="Review under this name").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Review")
        visitor.open(f"/cases/{case_id}")
        expect(page.locator(".content")).to_have_css("filter", "blur(6.4px)")
        page.get_by_label("Show what was reported").check()
        expect(page.locator(".content")).to_have_css("filter", "none")
        page.get_by_label("Note").fill("seen\nin full")
        page.get_by_role("button", name="Action").click()
        expect(page.locator(".case .status")).to_have_text("actioned")
        assert console.cases.read(case_id).decisions[0].note == "seen\nin full"
        page.get_by_role("textbox", name="Why").fill("an appeal")
        page.get_by_role("button", name="Open it again").click()
        expect(page.locator(".history")).to_contain_text("ann opened it again an appeal")
        assert console.cases.read(case_id).case.status is CaseStatus.OPEN


def test_an_escalated_case_is_decided_on_its_page(visitor: Visitor, console: Console) -> None:
    case_id = open_case(console)
    console.cases.decide(case_id, "bob", Verdict.ESCALATED)
    page = visitor.page
    name_moderator(page, visitor)
    visitor.open("/queue?status=escalated")
    page.get_by_role("link", name="a", exact=True).click()
    expect(page.get_by_role("button", name="Escalate")).to_have_count(0)
    page.get_by_role("button", name="Dismiss").click()
    expect(page.locator(".case .status")).to_have_text("dismissed")
    assert console.cases.read(case_id).case.status is CaseStatus.DISMISSED


def test_a_case_that_another_holds_is_not_decided_and_that_is_told(
    visitor: Visitor, console: Console
) -> None:
    case_id = open_case(console)
    console.cases.lease("bob", 1)
    page = visitor.page
    name_moderator(page, visitor)
    visitor.open(f"/cases/{case_id}")
    expect(page.get_by_text("Held by bob")).to_be_visible()
    page.get_by_role("button", name="Action").click()
    expect(page.get_by_role("alert").filter(has_text="bob holds the case.")).to_be_visible()
    assert console.cases.read(case_id).case.status is CaseStatus.OPEN


@pytest.mark.parametrize("name", ["a", "r1"])
def test_nobody_judges_in_their_own_cause(visitor: Visitor, console: Console, name: str) -> None:
    case_id = open_case(console)
    page = visitor.page
    name_moderator(page, visitor, name)
    visitor.open(f"/cases/{case_id}")
    page.get_by_role("button", name="Dismiss").click()
    expect(page.get_by_role("alert").filter(has_text="Leave it to another moderator.")).to_be_visible()
    assert console.cases.read(case_id).case.status is CaseStatus.OPEN


def test_how_a_case_was_drawn_is_shown_once_it_is_decided(visitor: Visitor, console: Console) -> None:
    case_id = open_case(console)
    console.cases.policy = msgspec.structs.replace(console.cases.policy, draws=DrawShares(0.5, 0.0))
    for _ in range(20):  # drawn by deadline every other time
        console.cases.lease("bob", 1)
        console.cases.let_leases_run_out()
    page = visitor.open(f"/cases/{case_id}")
    expect(page.locator(".history")).to_contain_text("bob took it")
    expect(page.locator(".history")).not_to_contain_text("drawn by")
    console.cases.decide(case_id)
    visitor.open(f"/cases/{case_id}")
    expect(page.locator(".history")).to_contain_text("drawn by deadline")
    expect(page.locator(".history")).to_contain_text("drawn by priority")


def test_the_bars_say_what_makes_the_priority(visitor: Visitor, console: Console) -> None:
    case_id = open_case(console)
    page = visitor.open(f"/cases/{case_id}")
    case = console.cases.read(case_id).case
    table = page.get_by_role("table", name="What makes the priority")
    shown = [row.inner_text().split("\u00d7")[-1].strip() for row in table.locator("tbody tr").all()]
    assert [float(text) for text in shown] == pytest.approx([case.score, 5.0, 1.0], rel=0.01)
    chance = page.get_by_role("table", name="What makes the chance, in log-odds")
    terms = [float(row.locator("td").last.inner_text()) for row in chance.locator("tbody tr").all()]
    total = float(chance.locator("tfoot td").last.inner_text())
    assert sum(terms) == pytest.approx(total, abs=0.03)
    assert (
        page.locator("svg.bar rect[width='0.0']").count() == 3
    )  # reach, and what one reporter adds nothing by


@pytest.mark.parametrize("path", ["/cases/nonsense", "/cases/0199c6a1-64a0-7c5e-9a0d-3f1b5d0e7a21"])
def test_an_unknown_case_is_told(visitor: Visitor, path: str) -> None:
    page = visitor.open(path)
    expect(page.get_by_role("alert").filter(has_text="No case has this id")).to_be_visible()


def test_a_reversal_without_a_reason_is_told(visitor: Visitor, console: Console) -> None:
    case_id = open_case(console)
    console.cases.decide(case_id)
    page = visitor.page
    name_moderator(page, visitor)
    visitor.open(f"/cases/{case_id}")
    page.get_by_role("textbox", name="Why").fill("   ")
    page.get_by_role("button", name="Open it again").click()
    expect(page.get_by_role("alert").filter(has_text="The reason is empty.")).to_be_visible()
    assert console.cases.read(case_id).case.status is CaseStatus.ACTIONED
