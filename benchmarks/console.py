"""How long a moderator waits between a key and what it changes on the page."""

import statistics
import tempfile

from playwright.sync_api import Page, sync_playwright

from benchmarks.processes import FLAGRANK, free_port, running
from benchmarks.tables import Figure, print_figures, progress

CHROMIUM = "/usr/bin/chromium"
N_CASES = 60
KEYS = "adbe"
# The browser's own measure, from the key to the frame that shows what came of it, in steps of 8 ms.
WATCH = """new PerformanceObserver(list => {
  globalThis.waits ??= [];
  waits.push(...list.getEntries().filter(one => one.name === 'keydown').map(one => one.duration));
}).observe({type: 'event', durationThreshold: 16});"""


def main() -> None:
    """Measure and print."""
    progress.print(f"{N_CASES} keys in the console of flagrank serve --demo ...")
    port = free_port()
    with tempfile.TemporaryDirectory() as data, sync_playwright() as playwright:
        command = [FLAGRANK, "serve", "--demo", "--port", str(port)]
        with running(command, port, "/readyz", core=0, environment={"FLAGRANK_DATA_DIR": data}):
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            waits = _press_keys(browser.new_page(), port)
            browser.close()
    how = "in Chromium, on the demo's queue, by the Event Timing API: 16 ms where the next frame showed it"
    print_figures(
        "Console",
        [
            Figure("key to next paint, p98", statistics.quantiles(waits, n=50)[-1], "ms", 100, how=how),
            Figure("key to next paint, median", statistics.median(waits), "ms", 100, how=how),
        ],
    )


def _press_keys(page: Page, port: int) -> list[float]:
    """The waits of all keys, in ms; one too short to be listed counts as 16."""
    page.goto(f"http://127.0.0.1:{port}/console/review")
    page.get_by_label("Your name").fill("ann")
    page.keyboard.press("Enter")
    page.wait_for_selector(".case:not([hidden])")
    page.evaluate(WATCH)
    for number in range(N_CASES):
        page.wait_for_selector(".case:not([hidden])")
        page.wait_for_timeout(200)
        page.keyboard.press(KEYS[number % len(KEYS)])
    page.wait_for_timeout(500)
    listed: list[float] = page.evaluate("globalThis.waits ?? []")
    return [*listed, *[16.0] * (N_CASES - len(listed))]
