"""Every page at every width, light and dark: it fits, it can be read, and the keyboard reaches all of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from flagrank.settings import read_default_policy
from flagrank.triage.audit import Change
from flagrank.triage.model_registry import ModelRole, make_assignment
from flagrank.triage.shadow import ShadowScore
from tests.console.conftest import ANN, Console, Visitor, visit
from tests.console.test_model_pages import scored
from tests.task_store import FAR, submission

WIDTHS = {"wide": 1_600, "narrow": 360}

# The contrast of each visible text with what lies behind it, by WCAG 2; those under 4.5.
FIND_PALE_TEXTS = """() => {
  const read = text => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(c => c / 255)
    .map(c => c <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
  const behind = element => {
    for (let one = element; one; one = one.parentElement) {
      const color = read(getComputedStyle(one).backgroundColor);
      if (color.length < 4 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const pale = [];
  while (walker.nextNode()) {
    const text = walker.currentNode.data.trim(), element = walker.currentNode.parentElement;
    if (!text || !element.checkVisibility()) continue;
    const [a, b] = [light(read(getComputedStyle(element).color)), light(behind(element))];
    const contrast = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (contrast < 4.5) pale.push(`${text}: ${contrast.toFixed(2)}`);
  }
  return pale;
}"""
# What a finger or a screen reader would miss: targets under 24 pixels, fields and links without a name.
FIND_NAMELESS = """() => [...document.querySelectorAll('a[href], button, input, select')]
  .filter(one => !(one.textContent.trim() || one.labels?.length || one.ariaLabel))
  .map(one => one.outerHTML)"""
FIND_DOUBLED_IDS = """() => [...document.querySelectorAll('[id]')].map(one => one.id)
  .filter((id, place, all) => all.indexOf(id) !== place)"""


def fill(console: Console) -> dict[str, str]:
    """Tasks of every status; the path of every page by what it shows."""
    store = console.store
    (succeeded,) = store.submit(n_reports=130)
    store.finish(store.claim())
    (failed,) = store.submit()
    store.fail(store.claim())
    store.submit()
    store.claim()
    (scheduled,) = store.accept([submission(run_at=FAR)])
    (cancelled,) = store.submit()
    store.changes.cancel(cancelled)
    store.submit(60, n_reports=1_000)
    return {
        "tasks": "/tasks",
        "no tasks": "/tasks?until=2000-01-01T00:00",
        "bad filter": "/tasks?since=x",
        "succeeded": f"/tasks/{succeeded}",
        "failed": f"/tasks/{failed}",
        "scheduled": f"/tasks/{scheduled}",
        "cancel": f"/tasks/{scheduled}/cancel",
        "retry": f"/tasks/{failed}/retry",
        "submit": "/submit",
        "refusal": "/tasks/nonsense",
        **fill_models(console),
        **fill_policies(console),
    }


def fill_models(console: Console) -> dict[str, str]:
    """Models of every role, one with the longest name there can be; the paths of their pages."""
    models = console.models
    models.promote(models.publish("champion", scored(0.1)))
    models.promote(models.publish("better", scored(0.05)))
    worse = models.publish("worse", scored(0.6))
    odd = models.publish_as("x" * 128, {"roc_auc": {"value": None, "why": "y" * 300}})
    registry = models.registry
    registry.give_role(worse, make_assignment(ModelRole.SHADOW, None), Change("key:" + "z" * 64, "w" * 500))
    registry.give_role(odd, make_assignment(ModelRole.CHALLENGER, 0.125), ANN)
    models.shadow_log.append([ShadowScore(2, worse, 0.5, 0.25)])
    return {
        "models": "/models",
        "champion": "/models/2",
        "champion before": "/models/1",
        "shadow": f"/models/{worse}",
        "challenger": f"/models/{odd}",
        "promote": f"/models/{worse}/promote",
        "give a share": f"/models/{worse}/challenger",
        "roll back": "/models/rollback",
        "no model": "/models/99",
    }


def fill_policies(console: Console) -> dict[str, str]:
    """A policy with the longest reason there can be, of the longest name; the paths of its pages."""
    toml = read_default_policy().replace("spam = 1\n", f"spam = 1\n{'r' * 256} = 3\n")
    toml = toml.replace('"default"', f'"{"n" * 64}"')
    console.policies.activate(toml, "x", Change("key:" + "z" * 64, "w" * 500))
    return {"policy": "/policy", "policy change": "/policy/1", "no policy": "/policy/99"}


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=list(WIDTHS))
def seen(
    browser: Browser, console: Console, scheme: str, request: pytest.FixtureRequest
) -> Iterator[Visitor]:
    """Someone at a window of one width and one choice of colours."""
    size = {"width": WIDTHS[request.param], "height": 900}
    with visit(browser, console, viewport=size, color_scheme=scheme) as visitor:
        yield visitor


def find_faults(page: Page) -> list[str]:
    """What is wrong with how a page looks and is built."""
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    faults = [f"{overflow} px too wide"] if overflow > 0 else []
    faults += page.evaluate(FIND_PALE_TEXTS)
    faults += page.evaluate(FIND_NAMELESS)
    faults += page.evaluate(FIND_DOUBLED_IDS)
    return faults


def test_every_page_fits_and_can_be_read(seen: Visitor, console: Console, tmp_path: Path) -> None:
    found = {}
    for name, path in fill(console).items():
        page = seen.open(path)
        page.screenshot(path=tmp_path / f"{name}.png", full_page=True)
        expect(page.get_by_role("main")).to_be_visible()
        expect(page.get_by_role("heading", level=1)).to_have_count(1)
        found[name] = find_faults(page)
    assert {name: faults for name, faults in found.items() if faults} == {}


def test_a_refusal_of_the_gate_and_the_form_below_it_can_be_read(seen: Visitor, console: Console) -> None:
    console.models.promote(console.models.publish("good", scored(0.1)))
    console.models.publish("worse", scored(0.6))
    page = seen.open("/models/2/promote")
    page.get_by_role("button", name="Promote it").click()
    expect(page.get_by_role("button", name="Promote it all the same")).to_be_visible()
    assert find_faults(page) == []


def test_the_faults_that_are_looked_for_are_found(visitor: Visitor) -> None:
    page = visitor.open("/tasks")
    page.evaluate(
        """() => {
          const text = document.createElement('p');
          text.textContent = 'pale';
          text.style.color = '#999';
          text.style.width = '5000px';
          text.id = 'main';
          document.querySelector('main').append(text, document.createElement('button'));
        }"""
    )
    faults = find_faults(page)
    assert [fault.split(":")[0] for fault in faults[1:]] == ["pale", "<button></button>", "main"]
    assert faults[0].endswith("px too wide")


def test_the_keyboard_goes_through_a_page_in_its_order(visitor: Visitor, console: Console) -> None:
    (task_id,) = console.store.submit()
    page = visitor.open("/tasks")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_label("Status", exact=True)).to_be_focused()
    link = page.get_by_role("link", name=task_id)
    for _ in range(40):
        page.keyboard.press("Tab")
        if link.evaluate("one => one === document.activeElement"):
            break
    expect(link).to_be_focused()
    assert link.evaluate("one => getComputedStyle(one).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text(task_id)


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_a_table_stays_a_table_for_a_screen_reader(browser: Browser, console: Console, width: int) -> None:
    (task_id,) = console.store.submit(n_reports=3)
    with visit(browser, console, viewport={"width": width, "height": 900}) as visitor:
        page = visitor.open("/tasks")
        table = page.get_by_role("table", name="Tasks, newest first")
        expect(table.get_by_role("columnheader")).to_have_count(6)
        row = table.get_by_role("row").filter(has_text=task_id)
        expect(row.get_by_role("rowheader")).to_have_text(task_id)
        expect(row.get_by_role("cell")).to_have_count(5)


def test_pages_work_without_scripts(browser: Browser, console: Console) -> None:
    (task_id,) = console.store.accept([submission(run_at=FAR)])
    with visit(browser, console, java_script_enabled=False) as visitor:
        page = visitor.open("/tasks")
        page.get_by_role("link", name=task_id).click()
        page.get_by_role("link", name="Cancel this task").click()
        page.get_by_role("button", name="Cancel the task").click()
        expect(page.locator("dl.facts")).to_contain_text("cancelled")
