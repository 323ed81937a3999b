"""The lead sees what the queue is like, in words, plots and tables, live, and whatever names there are."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from flagrank.triage.api_key import Scope
from tests.case_store import arrival
from tests.console.conftest import Console, Visitor, visit
from tests.console.lead_queue import HOSTILE, fill_queue
from tests.console.reviewing import AXE
from tests.console.test_access import sign_in
from tests.console.test_look import find_faults
from tests.console.test_review_troubles import find_shifts

PLOTS = ("Backlog by age and severity", "Deadlines ahead", "Arrivals against decisions")

# What each plot draws, and what the table behind it says.
READ_PLOTS = """() => [...document.querySelectorAll('[data-plot]')].map(section => {
  const chart = Chart.getChart(section.querySelector('canvas'));
  const rows = [...section.querySelectorAll('tbody tr')];
  return {
    drawn: chart.data.labels.map((label, at) => [label, ...chart.data.datasets.map(one => one.data[at])]),
    told: rows.map(row => [row.cells[0].textContent,
      ...[...row.cells].slice(1).map(cell => Number(cell.textContent.replaceAll(',', '')))]),
  };
})"""
COUNT_INKED = """canvas => {
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  return data.filter((value, at) => at % 4 === 3 && value > 0).length;
}"""


@pytest.fixture(params=[1_280, 360])
def width(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(params=["light", "dark"])
def seen(browser: Browser, console: Console, width: int, request: pytest.FixtureRequest) -> Iterator[Visitor]:
    """Someone at a window of one width and one choice of colours."""
    size = {"width": width, "height": 900}
    with visit(browser, console, viewport=size, color_scheme=request.param) as visitor:
        yield visitor


def open_lead(visitor: Visitor) -> Page:
    """The page, its plots drawn."""
    page = visitor.open("/lead")
    page.wait_for_function("() => window.Chart && Object.keys(Chart.instances).length === 3")
    return page


def read_fact(page: Page, label: str) -> Locator:
    return page.locator("#facts div").filter(has_text=label).locator("b")


def test_the_page_fits_and_can_be_read_and_axe_finds_nothing(seen: Visitor, console: Console) -> None:
    fill_queue(console.cases, 300)
    page = open_lead(seen)
    for summary in page.locator("summary").all():
        summary.click()
    assert find_faults(page) == []
    page.evaluate(AXE)
    assert page.evaluate("() => axe.run().then(found => found.violations.map(one => one.id))") == []


def test_an_empty_queue_is_told_as_one(seen: Visitor) -> None:
    page = open_lead(seen)
    expect(read_fact(page, "Open cases")).to_have_text("0")
    expect(page.locator("#slice li").first).to_contain_text("nobody can tell yet")
    expect(page.get_by_text("No decision was taken since.")).to_have_count(2)
    assert find_faults(page) == []


def test_the_numbers_are_those_of_the_store(visitor: Visitor, console: Console) -> None:
    cases = console.cases
    cases.take_in(arrival(f"t{n}", reason="threat") for n in range(3))
    cases.take_in([arrival("u", reason="spam")])
    for target in ("t0", "u"):
        cases.decide(cases.find(target).case_id, "ann")
    page = open_lead(visitor)
    expect(read_fact(page, "Open cases")).to_have_text("2")
    expect(read_fact(page, "Came in")).to_have_text("4")
    expect(read_fact(page, "Decided")).to_have_text("2")
    expect(page.locator("#backlog-told")).to_have_text(
        "2 open cases; 0 came in more than 3 d ago; 0 of severity 25 and more."
    )
    row = page.get_by_role("table", name="Agreement by moderator").get_by_role("row").filter(has_text="ann")
    expect(row.get_by_role("cell").first).to_have_text("100\N{NO-BREAK SPACE}%")
    expect(row.get_by_role("cell").nth(1)).to_have_text("16 to 100\N{NO-BREAK SPACE}%")


def test_shares_are_told_in_words_with_their_intervals(visitor: Visitor, console: Console) -> None:
    fill_queue(console.cases)
    told = open_lead(visitor).locator("#slice li")
    share = r"\d+(\.\d)?\s% \(\d+(\.\d)? to \d+(\.\d)?\s%\)"
    for line, before, behind in (
        (0, "Of the cases that came in,", " deserved action."),
        (1, "Of the cases that the ranking reached,", " deserved action."),
        (2, "Of the cases that deserved action, the ranking reached", "."),
    ):
        assert re.fullmatch(f"{before} {share}{behind}", told.nth(line).inner_text())


def test_deadlines_that_cannot_be_met_are_told_before_they_are_missed(
    visitor: Visitor, console: Console
) -> None:
    console.cases.take_in(arrival(f"t{n}", reason="minor_safety") for n in range(5))
    page = open_lead(visitor)
    expect(read_fact(page, "Can't be met in time")).to_have_text("5")
    expect(page.locator("#deadlines-told")).to_contain_text("at least 5 more will be missed, the first at 20")


def test_each_plot_draws_what_the_table_behind_it_says(visitor: Visitor, console: Console) -> None:
    fill_queue(console.cases, 300)
    page = open_lead(visitor)
    for plot in page.evaluate(READ_PLOTS):
        assert plot["drawn"] == plot["told"]
        assert len(plot["told"]) > 1
    for canvas in page.locator("canvas").all():
        assert canvas.evaluate(COUNT_INKED) > 1_000


@pytest.mark.parametrize("title", PLOTS)
def test_the_keyboard_opens_the_table_behind_a_plot(visitor: Visitor, title: str) -> None:
    page = open_lead(visitor)
    table = page.get_by_role("table", name=title)
    expect(table).to_be_hidden()
    page.get_by_text(f"{title} in numbers").focus()
    page.keyboard.press("Enter")
    expect(table).to_be_visible()


def test_without_scripts_the_tables_are_there(browser: Browser, console: Console) -> None:
    fill_queue(console.cases, 100)
    with visit(browser, console, java_script_enabled=False) as visitor:
        page = visitor.open("/lead")
        for title in PLOTS:
            expect(page.get_by_role("table", name=title)).to_be_visible()
        expect(page.locator("canvas").first).to_be_hidden()


def test_what_happens_shows_without_a_reload_and_takes_nothing_from_the_reader(
    visitor: Visitor, console: Console
) -> None:
    console.cases.open(3)
    page = open_lead(visitor)
    summary = page.get_by_text("Backlog by age and severity in numbers")
    summary.focus()
    page.keyboard.press("Enter")
    console.cases.decide(console.cases.list()[0].case_id)
    expect(read_fact(page, "Decided")).to_have_text("1")
    table = page.get_by_role("table", name="Backlog by age and severity")
    expect(table).to_be_visible()
    expect(table.get_by_role("row").nth(1)).to_contain_text("2")
    expect(summary).to_be_focused()
    for plot in page.evaluate(READ_PLOTS):
        assert plot["drawn"] == plot["told"]


def test_nothing_moves_while_plots_are_drawn(seen: Visitor, console: Console) -> None:
    fill_queue(console.cases, 300)
    page = open_lead(seen)
    assert find_shifts(page) == 0
    page.evaluate("document.querySelector('h1').style.marginTop = '50px'")
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
    assert find_shifts(page) > 0  # that one is seen


def test_names_and_reasons_are_text_and_nothing_else(visitor: Visitor, console: Console) -> None:
    fill_queue(console.cases, 400)
    page = open_lead(visitor)
    names = page.get_by_role("table", name="Agreement by moderator").get_by_role("rowheader")
    for name in HOSTILE:
        expect(names.filter(has_text=name)).to_have_count(1)
        assert name in names.locator("bdi").all_text_contents()
    reasons = page.get_by_role("table", name="Agreement by reason").get_by_role("rowheader")
    expect(reasons.filter(has_text=HOSTILE[0])).to_have_count(1)
    expect(page).to_have_title("Lead · flagrank")


@pytest.mark.parametrize(
    ("scope", "is_open"), [(Scope.REVIEW, True), (Scope.ADMIN, True), (Scope.TASKS, False)]
)
def test_the_page_is_for_reviewers_and_admins(
    visitor: Visitor, console: Console, scope: Scope, *, is_open: bool
) -> None:
    secret = console.keys.create("key", scope)
    sign_in(visitor.open("/lead"), secret)
    page = visitor.open("/lead")
    said = "The queue as a whole" if is_open else "Your key lacks the scope review"
    expect(page.get_by_role("main")).to_contain_text(said)
