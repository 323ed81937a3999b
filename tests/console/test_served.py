"""The console of a real `flagrank serve`, beside its worker and behind its guard."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.api.model_server import Models
from tests.api.running_server import FLAGRANK, RunningServer, running_server
from tests.console.test_model_pages import press
from tests.packages import write_small_package

REPORTS = "abuse_type,report_text_len,profile_rating,popularity\nMSG,12,4.5,\nPRF,7,,2\n"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def server(tmp_path: Path, data: Path) -> Iterator[RunningServer]:
    write_small_package(tmp_path / "package")
    with running_server("--model", str(tmp_path / "package"), data_dir=data) as running:
        yield running


def test_a_file_submitted_in_a_browser_is_scored(
    server: RunningServer, browser: Browser, tmp_path: Path
) -> None:
    file = tmp_path / "reports.csv"
    file.write_text(REPORTS)
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{server.url}/console")
        page.get_by_role("link", name="Submit a file").first.click()
        page.get_by_label("File", exact=True).set_input_files(file)
        page.get_by_role("button", name="Submit").click()
        expect(page.locator("dl.facts")).to_contain_text("succeeded")
        expect(page.locator("table data").first).to_have_attribute("value", re.compile(r"0\.\d+"))
        task_id = page.url.rpartition("/")[2]
    assert server.get(f"/task/{task_id}").document["n_reports"] == 2


def test_a_model_promoted_with_the_keyboard_serves_and_one_rolled_back_to_serves_again(
    server: RunningServer, browser: Browser
) -> None:
    models = Models(server)
    version = models.publish_new("another")
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{server.url}/console/models")
        page.get_by_role("link", name=f"version {version}").click()
        expect(page.get_by_text("holds no held-out rows to plot").first).to_be_visible()
        press(page, "link", "Promote")
        press(page, "button", "Promote it")
        expect(page.locator("dl.facts .status")).to_have_text("champion")
        models.wait_for(version)
        press(page, "link", "Roll back to version 1")
        press(page, "button", "Roll back")
        expect(page.get_by_role("heading", level=1)).to_have_text("Model version 1")
        models.wait_for(1)
    actors = [(line["action"], line["actor"]) for line in models.show(version).document["history"]]
    assert actors[1:] == [("model.promote", "local"), ("model.rollback", "local")]


def test_a_model_changed_by_a_page_of_another_site_stays_as_it_is(server: RunningServer) -> None:
    version = Models(server).publish_new("another")
    for headers in ({"Origin": "http://example.org"}, {"Sec-Fetch-Site": "cross-site"}):
        assert server.ask("POST", f"/console/models/{version}/promote", b"", headers).status == 403
    assert Models(server).roles() == {1: "champion"}


def test_a_page_of_another_site_changes_nothing(server: RunningServer) -> None:
    for headers in ({"Origin": "http://example.org"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = server.ask("POST", "/console/submit", b"", headers)
        assert answer.status == 403


def test_a_key_opens_the_console_and_its_cookie_opens_nothing_else(
    server: RunningServer, browser: Browser, data: Path
) -> None:
    command = [FLAGRANK, "keys", "create", "ann", "--scope", "tasks"]
    made = subprocess.run(
        command, env={"FLAGRANK_DATA_DIR": str(data)}, capture_output=True, text=True, check=True
    )
    secret = re.findall(r"flagrank_[\w-]+", made.stdout + made.stderr)[0]
    with browser.new_context() as context:
        page = context.new_page()
        for _ in range(100):  # until the server has noticed that there are keys
            page.goto(f"{server.url}/console")
            if page.url.endswith("/sign-in"):
                break
        page.get_by_label("API key").fill(secret)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_text("Signed in as ann")).to_be_visible()
        assert page.goto(f"{server.url}/task").status == 401  # type: ignore[union-attr]
    assert server.get("/task", {"Cookie": f"flagrank_key={secret}"}).status == 401
    assert server.get("/task", {"Authorization": f"Bearer {secret}"}).status == 200
