"""Short words for what tests do as moderators in a browser."""

import re
from collections.abc import Iterable
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from flagrank.triage.review import CaseStatus
from tests.case_store import CaseStore, arrival
from tests.console.conftest import Console, Visitor

AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text()
SHOWN = ".case:not([hidden])"
SAVED = re.compile("all saved")


def start(visitor: Visitor, name: str = "ann") -> Page:
    """Begin to review under a name; by the keyboard alone."""
    page = visitor.open("/review")
    page.keyboard.type(name)
    page.keyboard.press("Enter")
    expect(page.locator("#review")).to_be_visible()
    return page


def read_case_id(page: Page) -> str:
    """The case that is shown; waits for one."""
    return page.locator(SHOWN).get_attribute("data-case") or ""


def decide(page: Page, key: str) -> str:
    """Press a key on the case that is shown, until another is; the case that was."""
    case_id = read_case_id(page)
    wait_until_painted(page)
    page.keyboard.press(key)
    expect(page.locator(f'{SHOWN}[data-case="{case_id}"]')).to_have_count(0)
    return case_id


def wait_until_painted(page: Page) -> None:
    """As long as a moderator needs, too, to see what they decide."""
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))")


def status_of(console: Console, case_id: str) -> CaseStatus:
    """Where a case stands in the store."""
    return console.cases.read(case_id).case.status


def find_notice(page: Page, text: str) -> Locator:
    """The notice that says this."""
    return page.get_by_role("alert").locator(".notice").filter(has_text=text)


def come_back(page: Page) -> None:
    """As when a tab is looked at again: the page asks at once whether it holds its cases still."""
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def open_cases(cases: CaseStore, targets: Iterable[str]) -> None:
    """A case for each target, the first the most urgent."""
    scores = (0.9 - 0.001 * place for place in range(1_000))
    cases.take_in(
        arrival(target, score, content_text=f"text of {target}")
        for target, score in zip(targets, scores, strict=False)
    )


def find_violations(page: Page) -> list[str]:
    """What axe-core says against a page."""
    page.evaluate(AXE)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{violation['id']}: {node['html'][:200]}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]
