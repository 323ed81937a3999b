"""`/docs` in a browser: it renders from our own files alone, and what it offers to try works."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.api.running_server import RunningServer


@dataclass
class Watched:
    """A page, and whatever went wrong on it."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)


@pytest.fixture(params=[1_280, 390], ids=["wide", "narrow"])
def docs(browser: Browser, server: RunningServer, request: pytest.FixtureRequest) -> Iterator[Watched]:
    """The page, open; at the end nothing may have gone wrong on it."""
    context = browser.new_context(viewport={"width": request.param, "height": 900})
    watched = Watched(context.new_page())
    page = watched.page
    page.add_init_script(
        "document.addEventListener('securitypolicyviolation',"
        "event => console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`))"
    )
    page.on(
        "console",
        lambda message: (
            watched.complaints.append(message.text) if message.type in {"error", "warning"} else None
        ),
    )
    page.on("pageerror", lambda error: watched.complaints.append(str(error)))
    page.on("requestfailed", lambda failed: watched.complaints.append(failed.url))
    page.on("request", lambda sent: watched.hosts.add(urlsplit(sent.url).netloc or sent.url[:5]))
    page.goto(f"{server.url}/docs")
    described = server.get("/openapi.json").document["paths"]
    expect(page.locator(".opblock")).to_have_count(sum(map(len, described.values())))
    yield watched
    assert watched.complaints == []
    assert watched.hosts - {"data:"} == {server.host}
    context.close()


def _execute(page: Page, operation: str) -> tuple[str, dict[str, object]]:
    """Press what a reader presses; the status and the body that the page shows."""
    block = page.locator(f"#operations-{operation}")
    block.locator(".opblock-summary-control").click()
    block.locator("button.execute").click()
    live = block.locator(".live-responses-table")
    status = live.locator("tbody .response-col_status").first.inner_text()
    body = live.locator(
        ".response-col_description .microlight, .response-col_description pre"
    ).first.inner_text()
    return status.split()[0], json.loads(body)


def test_the_page_shows_every_operation_and_its_words(docs: Watched) -> None:
    expect(docs.page.locator(".info .title")).to_contain_text("flagrank")
    for text in ("Score and rank reports now", "Is the process alive", "Should requests be sent here"):
        expect(docs.page.get_by_text(text)).to_be_visible()


def test_the_example_is_scored_when_it_is_executed(docs: Watched, server: RunningServer) -> None:
    status, body = _execute(docs.page, "scoring-predict_now")
    assert status == "200"
    assert body["model"] == server.model
    assert body["ranking"] == [0]


@pytest.mark.parametrize("name", ["heartbeat", "livez", "readyz"])
def test_the_health_routes_answer_when_they_are_executed(docs: Watched, name: str) -> None:
    status, body = _execute(docs.page, f"service-{name}")
    assert status == "200"
    assert set(body.values()) <= {"Service Ok", "ready"}


def test_the_report_is_described_in_the_page(docs: Watched) -> None:
    docs.page.locator(".models").get_by_role("button", name="Report", exact=True).click()
    expect(docs.page.locator(".models")).to_contain_text("report_text_len")


def test_the_page_fits_its_width(docs: Watched) -> None:
    docs.page.locator("#operations-scoring-predict_now .opblock-summary-control").click()
    overflow = docs.page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert overflow <= 0


def test_a_page_of_another_site_can_not_frame_it_or_read_from_it(server: RunningServer) -> None:
    policy = server.get("/docs").headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
