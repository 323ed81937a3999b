"""A real browser on the real page of a real server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.api.running_server import RunningServer, running_server
from tests.packages import write_small_package

CHROMIUM = Path("/usr/bin/chromium")
QUIET = [
    "--no-sandbox",  # it may be root that runs the tests
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with a model of the default schema."""
    directory = tmp_path_factory.mktemp("model") / "package"
    write_small_package(directory)
    with running_server("--model", str(directory)) as running:
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium; where it is missing the tests fail, for a page that nobody opened is not tested."""
    if not CHROMIUM.exists():
        pytest.fail(f"{CHROMIUM} is missing. Install it: apt-get install chromium", pytrace=False)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield launched
        launched.close()
