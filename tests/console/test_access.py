"""While keys exist, the console is for those who signed in with one."""

from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from flagrank.triage.api_key import Scope
from tests.console.conftest import Console, Visitor


def sign_in(page: Page, secret: str) -> None:
    page.get_by_label("API key").fill(secret)
    page.get_by_role("button", name="Sign in").click()


def ask(
    console: Console, method: str, path: str, body: str = "", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """One request without a browser; status, headers and body."""
    connection = HTTPConnection(urlsplit(console.url).netloc)
    connection.request(method, path, body or None, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, content


def test_whoever_has_not_signed_in_sees_nothing(visitor: Visitor, console: Console) -> None:
    (task_id,) = console.store.submit()
    console.keys.create("ann", Scope.TASKS)
    for path in ("", "/tasks", f"/tasks/{task_id}", f"/tasks/{task_id}/live", "/submit", "/nothing"):
        page = visitor.open(path)
        assert page.url.endswith("/console/sign-in")
    status, headers, _ = ask(console, "POST", f"/console/tasks/{task_id}/cancel")
    assert (status, headers["location"]) == (303, "/console/sign-in")
    assert console.store.status(task_id) == "queued"


def test_signing_in_and_out_with_the_keyboard(visitor: Visitor, console: Console) -> None:
    secret = console.keys.create("ann", Scope.TASKS)
    page = visitor.open("/tasks")
    expect(page.get_by_label("API key")).to_be_focused()
    page.keyboard.type(f" {secret} ")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Tasks")
    expect(page.get_by_text("Signed in as ann")).to_be_visible()
    (cookie,) = page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", "/console")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("API key")).to_be_visible()
    assert page.context.cookies() == []
    visitor.open("/tasks")
    expect(page.get_by_label("API key")).to_be_visible()


def test_a_key_that_is_none_and_one_of_another_scope_are_told(visitor: Visitor, console: Console) -> None:
    other = console.keys.create("scores only", Scope.SCORE)
    page = visitor.open("/tasks")
    for wrong in ("flagrank_nonsense", "ключ", "x" * 3_000):
        sign_in(page, wrong)
        expect(page.get_by_role("alert").filter(has_text="No key in force is this one.")).to_be_visible()
    sign_in(page, other)
    expect(
        page.get_by_role("alert").filter(has_text="none of the scopes review, admin, tasks, models")
    ).to_be_visible()
    assert page.context.cookies() == []
    assert other not in page.content()


def test_a_revoked_key_ends_the_visit_also_of_a_page_that_moves(visitor: Visitor, console: Console) -> None:
    secret = console.keys.create("ann", Scope.TASKS)
    page = visitor.open("/tasks")
    sign_in(page, secret)
    expect(page.get_by_role("heading", level=1)).to_have_text("Tasks")
    console.keys.stored.revoke("ann")
    expect(page.get_by_label("API key")).to_be_visible()


def test_without_keys_there_is_nothing_to_sign_in_to(visitor: Visitor) -> None:
    assert visitor.open("/sign-in").url.endswith("/console/queue")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_over_tls_the_cookie_travels_over_tls_only(console: Console, scheme: str) -> None:
    secret = console.keys.create("ann", Scope.TASKS)
    form = {"Content-Type": "application/x-www-form-urlencoded", "X-Forwarded-Proto": scheme}
    _, headers, _ = ask(console, "POST", "/console/sign-in", f"key={secret}", **form)
    assert ("Secure" in headers["set-cookie"]) == (scheme == "https")


@pytest.mark.parametrize("path", ["/tasks", "/nothing", "/assets/console.css", "/tasks/nonsense"])
def test_every_answer_keeps_other_sites_and_scripts_out(console: Console, path: str) -> None:
    _, headers, body = ask(console, "GET", f"/console{path}")
    policy = headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert b"<script>" not in body
    assert b"style=" not in body


def test_pages_are_kept_by_no_cache(console: Console) -> None:
    assert ask(console, "GET", "/console/tasks")[1]["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/assets/../application.py", "/assets/%2e%2e/access.py", "/tasks/../../x"])
def test_no_other_file_is_given(console: Console, path: str) -> None:
    assert ask(console, "GET", f"/console{path}")[0] == 404


def test_a_method_that_a_page_does_not_take_is_told(console: Console) -> None:
    status, _, body = ask(console, "DELETE", "/console/tasks")
    assert status == 405
    assert b"does not take this method" in body
