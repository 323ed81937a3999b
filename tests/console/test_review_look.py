"""Every page of the queue at every width, light and dark, also where its texts are hostile."""

from pathlib import Path
from urllib.parse import urlencode

import msgspec
import pytest
from playwright.sync_api import Browser, Page, expect

from flagrank.triage.api_key import Scope
from flagrank.triage.review import Verdict
from tests.case_store import arrival
from tests.console.conftest import Console, Visitor, visit
from tests.console.reviewing import (
    SHOWN,
    decide,
    find_notice,
    find_violations,
    open_cases,
    read_case_id,
    start,
    wait_until_painted,
)
from tests.console.test_look import find_faults

WIDTHS = [1_600, 360]
SCRIPT = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>'&"
TURNED = "\u202egnp.exe \u2067\u2066 \u061c"
LONG = "x" * 10_000
FAULTS_OF_TARGETS = """() =>
  [...document.querySelectorAll('a[href], button, input, select, textarea, summary')]
  .filter(one => one.checkVisibility() && !one.closest('.unseen, .skip'))
  .filter(one => { const {width, height} = one.getBoundingClientRect(); return width < 24 || height < 24; })
  .filter(one => !one.closest('p, li, td, th, label, span'))
  .map(one => one.outerHTML)"""


def fill(console: Console) -> dict[str, str]:
    """Cases of every kind; the paths of pages by what they show."""
    cases = console.cases
    open_cases(cases, ["a", "b", "c", "d", "e"])
    cases.take_in([arrival("many", 0.5, f"r{number}", reason="hate") for number in range(130)])
    cases.decide(cases.find("d").case_id, note="seen", verdict=Verdict.ESCALATED)
    decided = cases.find("e").case_id
    cases.decide(decided, verdict=Verdict.DISMISSED)
    cases.lease("bob", 1)
    return {
        "queue": "/queue",
        "filtered": "/queue?reason=hate",
        "no match": "/queue?reason=spam",
        "case": f"/cases/{cases.find('many').case_id}",
        "decided": f"/cases/{decided}",
        "name": "/review/name",
        "refusal": "/cases/nonsense",
    }


def find_all_faults(page: Page) -> list[str]:
    return [*find_faults(page), *page.evaluate(FAULTS_OF_TARGETS), *find_violations(page)]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_fits_and_can_be_read(
    browser: Browser, console: Console, width: int, scheme: str, tmp_path: Path
) -> None:
    found = {}
    paths = fill(console)
    with visit(browser, console, viewport={"width": width, "height": 900}, color_scheme=scheme) as visitor:
        page = start(visitor)
        read_case_id(page)
        found["review"] = find_all_faults(page)
        page.keyboard.press("b")
        page.keyboard.press("n")
        found["shown, with a note"] = find_all_faults(page)
        page.keyboard.press("Escape")
        page.keyboard.press("?")
        found["keys"] = find_all_faults(page)
        page.keyboard.press("Escape")
        page.context.set_offline(True)
        decide(page, "a")
        expect(find_notice(page, "The server does not answer")).to_be_visible()
        found["lost"] = find_all_faults(page)
        page.context.set_offline(False)
        for name, path in paths.items():
            visitor.open(path)
            page.screenshot(path=tmp_path / f"{name}.png", full_page=True)
            expect(page.get_by_role("heading", level=1)).to_have_count(1)
            found[name] = find_all_faults(page)
        visitor.complaints.clear()
    assert {name: faults for name, faults in found.items() if faults} == {}


def test_what_axe_looks_for_is_found(visitor: Visitor) -> None:
    page = visitor.open("/queue")
    page.evaluate("document.querySelector('main').append(document.createElement('button'))")
    assert [fault.split(":")[0] for fault in find_violations(page)] == ["button-name"]


@pytest.mark.parametrize("text", [SCRIPT, TURNED, LONG], ids=["script", "turned", "long"])
@pytest.mark.parametrize("width", WIDTHS)
def test_hostile_texts_stay_texts_in_their_place(
    browser: Browser, console: Console, text: str, width: int
) -> None:
    name = text[:128]
    fields = {"word": text, "content_url": f"https://x.example/{text[:1_500]}"}
    console.cases.take_in(
        msgspec.structs.replace(
            arrival(name, 0.9, f"{name[:120]}{number}", reason=text[:500], content_text=f"{text}{number}"),
            fields=msgspec.json.encode(fields),
        )
        for number in range(2)
    )
    (case,) = console.cases.list()
    with visit(browser, console, viewport={"width": width, "height": 900}) as visitor:
        page = start(visitor, name)
        page.keyboard.press("b")
        expect(page.get_by_text("No case is free for you")).to_be_visible()  # it is their own cause
        visitor.open("/review/name")
        page.get_by_label("Your name").fill(f"m{name[:120]}")
        page.keyboard.press("Enter")
        assert read_case_id(page) == case.case_id
        wait_until_painted(page)
        assert page.locator(f"{SHOWN} .content").first.text_content() == f"{text}0"
        check_in_place(page)
        page.keyboard.press("n")
        page.get_by_label("Note, kept").fill(text[:5_000])
        page.keyboard.press("Escape")
        decide(page, "a")
        expect(page.locator("#saved")).to_have_text("1 decided here, all saved")
        visitor.open(f"/cases/{case.case_id}")
        expect(page.locator(".history")).to_contain_text(text[:5_000])
        check_in_place(page)
        page.get_by_role("textbox", name="Why").fill(text[:500])
        page.get_by_role("button", name="Open it again").click()
        check_in_place(page)
        visitor.open("/queue")
        expect(page.locator("table.queue th a")).to_have_text(name)
        check_in_place(page)
        visitor.open(f"/queue?{urlencode({'reason': text[:60], 'leased_by': name})}")
        check_in_place(page)


def check_in_place(page: Page) -> None:
    """No markup came of it, nothing is too wide, and what was turned turns nothing else."""
    assert page.title().endswith("flagrank")
    assert page.locator("main img, main script").count() == 0
    assert (page.url, find_faults(page)) == (page.url, [])
    loose = page.evaluate(
        """() => {
          const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), loose = [];
          while (walker.nextNode()) {
            const {data, parentElement} = walker.currentNode;
            if (!/[\\u202e\\u2066\\u2067]/.test(data)) continue;
            if (parentElement.closest('script, select, textarea')) continue;
            const {unicodeBidi} = getComputedStyle(parentElement);
            if (!['isolate', 'plaintext'].includes(unicodeBidi)) {
              loose.push(parentElement.outerHTML.slice(0, 200));
            }
          }
          return loose;
        }"""
    )
    assert loose == []


def test_a_key_of_another_scope_sees_no_part_of_the_navigation_that_is_shut(
    visitor: Visitor, console: Console
) -> None:
    secret = console.keys.create("reviewer", Scope.REVIEW)
    page = visitor.open("/queue")
    page.get_by_label("API key").fill(secret)
    page.get_by_role("button", name="Sign in").click()
    links = page.get_by_role("navigation", name="Pages", exact=True).get_by_role("link")
    expect(links).to_have_text(["Queue", "Review", "Lead"])
