"""Takes the pictures of the pages: what a moderator sees, the list of tasks, a training report.

Run it from the checkout when a test says so: python -m tests.docs.make_pictures
"""

import hashlib
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from playwright.sync_api import Browser, Page, sync_playwright

from tests.api.running_server import REPORT, running_server
from tests.browser.conftest import CHROMIUM, QUIET

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "src" / "flagrank"
IMAGES = ROOT / "docs" / "images"
COLOURS = 128  # a palette: a third of the bytes, and no difference to be seen
SOURCE_KEY = "source-sha256"


@dataclass(frozen=True)
class Picture:
    """A picture and the files that decide what it shows."""

    path: Path
    sources: Sequence[Path]
    width: int
    height: int

    def hash_sources(self) -> str:
        """The sha256 of what it should show now."""
        digest = hashlib.sha256()
        for source in self.sources:
            digest.update(source.name.encode() + b"\0" + source.read_bytes())
        return digest.hexdigest()

    def read_source_hash(self) -> str:
        """The sha256 of what it was taken of; empty where it says nothing."""
        with Image.open(self.path) as image:
            return str(image.info.get(SOURCE_KEY, ""))

    def take(self, page: Page) -> None:
        """Keep what a page shows, with the hash of its sources beside the pixels."""
        source = PngInfo()
        source.add_text(SOURCE_KEY, self.hash_sources())
        with Image.open(io.BytesIO(page.screenshot())) as image:
            image.convert("RGB").quantize(COLOURS).save(self.path, optimize=True, pnginfo=source)


REPORT_PAGE = SOURCES / "demo_model" / "report.html"
TRAINING_REPORT = Picture(IMAGES / "training-report.png", [REPORT_PAGE], 1_100, 1_700)
CONSOLE = Picture(
    IMAGES / "console.png",
    [
        SOURCES / "console" / "assets" / "console.css",
        *(
            SOURCES / "console" / "templates" / f"{name}.html.jinja"
            for name in ("frame", "task_list", "tasks", "tasks_live", "words")
        ),
    ],
    1_400,
    650,
)
REVIEW = Picture(
    IMAGES / "review.png",
    [
        SOURCES / "console" / "assets" / "console.css",
        SOURCES / "console" / "assets" / "review" / "review.css",
        *(
            SOURCES / "console" / "templates" / f"{name}.html.jinja"
            for name in ("case", "frame", "review", "words")
        ),
    ],
    1_280,
    860,
)
PICTURES = (REVIEW, CONSOLE, TRAINING_REPORT)


@contextmanager
def opened_page(browser: Browser, picture: Picture, address: str) -> Iterator[Page]:
    """A page at an address, as large as the picture."""
    page = browser.new_page(viewport={"width": picture.width, "height": picture.height}, color_scheme="light")
    page.goto(address)
    yield page
    page.close()


def submit_tasks(url: str) -> None:
    """Some tasks of a day: scored, scheduled and cancelled ones."""
    with httpx.Client(base_url=url, timeout=60) as client:
        for n_reports, query in (
            (40, {"priority": "low"}),
            (1, {}),
            (2_500, {"priority": "low"}),
            (320, {}),
            (1, {"priority": "high"}),
            (90, {"run_at": (datetime.now(UTC) + timedelta(hours=6)).isoformat(timespec="seconds")}),
            (12, {"run_at": (datetime.now(UTC) + timedelta(days=1)).isoformat(timespec="seconds")}),
            (6, {}),
        ):
            answer = client.post("/predict", json=[REPORT] * n_reports, params=query)
            task = f"/task/{answer.raise_for_status().json()['task_id']}"
            if n_reports == 12:
                client.post(f"{task}/cancel").raise_for_status()
            elif "run_at" not in query:
                client.get(task, params={"wait": 30}).raise_for_status()


def take_review(page: Page) -> None:
    """The most urgent case, as whoever works on it sees it."""
    page.get_by_label("Your name").fill("ann")
    page.keyboard.press("Enter")
    page.wait_for_selector(".case:not([hidden])")
    page.wait_for_selector(".case[hidden]", state="attached")  # the next ones
    page.keyboard.press("b")
    REVIEW.take(page)


def take_pictures() -> None:
    """Take all of them."""
    with sync_playwright() as playwright, running_server("--model", "demo") as server:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        with opened_page(browser, TRAINING_REPORT, REPORT_PAGE.as_uri()) as page:
            TRAINING_REPORT.take(page)
        submit_tasks(server.url)
        with opened_page(browser, CONSOLE, f"{server.url}/console/tasks") as page:
            CONSOLE.take(page)
        with (
            running_server("--demo") as demo,
            opened_page(browser, REVIEW, f"{demo.url}/console/review") as page,
        ):
            take_review(page)
        browser.close()


if __name__ == "__main__":
    take_pictures()
