"""The pages of the policy: what would change is shown first, and nothing else is activated."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from flagrank.settings import read_default_policy
from flagrank.triage.api_key import Scope
from tests.case_store import arrival
from tests.console.conftest import ANN, Console, Visitor
from tests.console.test_access import ask, sign_in

DEFAULT = read_default_policy()
NIGHT = DEFAULT.replace('"default"', '"night"').replace("spam = 1\n", "spam = 8.5\n")
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def active(console: Console) -> str:
    return console.policies.list_versions()[0].policy


def compare(page: Page, toml: str) -> None:
    """Put a text into the form, and ask what it would change."""
    page.get_by_role("textbox", name="The active policy, to change").fill(toml)
    page.get_by_role("button", name="Show what would change").click()


def changes(page: Page) -> list[list[str]]:
    return [row.inner_text().split("\t") for row in page.locator("table.cards tbody tr").all()]


def test_the_active_policy_is_shown_with_its_text(visitor: Visitor) -> None:
    page = visitor.open("/tasks")
    page.get_by_role("link", name="Policy").click()
    expect(page.get_by_role("link", name="Policy")).to_have_attribute("aria-current", "page")
    expect(page.locator("dl.facts")).to_contain_text("default@1")
    expect(page.get_by_role("textbox", name="The active policy, to change")).to_have_value(DEFAULT)
    expect(page.get_by_text("None yet.")).to_be_visible()


def test_every_number_that_would_change_is_shown_before_anything_is_activated(
    visitor: Visitor, console: Console
) -> None:
    page = visitor.open("/policy")
    compare(page, NIGHT.replace("hate = 6\n", "").replace("self_harm = 12", "self_harm = 12.000000001"))
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text("Activate night in place of default@1?")
    assert changes(page) == [
        ["name", "default", "night"],
        ["severities.spam", "1", "8.5"],
        ["severities.hate", "6", "nothing"],
        ["severities.self_harm", "12", "12.000000001"],
    ]
    assert active(console) == "default@1"
    page.get_by_role("link", name="Leave it").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Policy")
    assert active(console) == "default@1"


def test_how_the_first_cases_would_change_is_shown_before_anything_is_activated(
    visitor: Visitor, console: Console
) -> None:
    reasons = ["threat"] * 100 + ["spam"] * 3
    console.cases.take_in(arrival(f"t{number}", 0.5, reason=one) for number, one in enumerate(reasons))
    page = visitor.open("/policy")
    compare(page, NIGHT.replace("spam = 8.5", "spam = 900"))
    expect(page.get_by_role("heading", name="The first 100 cases")).to_be_visible()
    expect(page.get_by_text("3 cases would come in, and as many leave")).to_be_visible()
    page.get_by_text("103 cases change their places").click()
    first = page.get_by_role("table", name="The first 100 cases").locator("tbody tr").first
    expect(first).to_contain_text("spam")
    expect(first.get_by_role("cell").last).to_have_text("1")
    page.get_by_role("link", name="Leave it").click()
    compare(page, NIGHT.replace("spam = 8.5", "spam = 1"))
    expect(page.get_by_text("Not one of them would change its place")).to_be_visible()


def test_without_cases_no_order_is_told(visitor: Visitor) -> None:
    page = visitor.open("/policy")
    compare(page, NIGHT)
    expect(page.get_by_role("heading", name="The first 100 cases")).to_have_count(0)


def test_a_policy_is_activated_with_its_reason_and_stands_in_the_history(
    visitor: Visitor, console: Console
) -> None:
    page = visitor.open("/policy")
    compare(page, NIGHT)
    page.get_by_label("Reason").fill("It is night.")
    page.get_by_role("button", name="Activate it").click()
    expect(page.locator("dl.facts")).to_contain_text("night@2")
    (row,) = changes(page)
    assert row[1:] == ["local", "default@1", "night@2", "It is night."]
    assert console.policies.read_toml(2) == NIGHT  # though a browser ends lines in its own way


def test_a_file_goes_before_the_text(visitor: Visitor, console: Console, tmp_path: Path) -> None:
    (tmp_path / "night.toml").write_bytes(b"\xef\xbb\xbf" + NIGHT.replace("\n", "\r\n").encode())
    page = visitor.open("/policy")
    page.get_by_label("Or a file").set_input_files(tmp_path / "night.toml")
    page.get_by_role("button", name="Show what would change").click()
    page.get_by_role("button", name="Activate it").click()
    expect(page.locator("dl.facts")).to_contain_text("night@2")
    assert console.policies.read_toml(2) == NIGHT


def test_an_older_policy_is_activated_again(visitor: Visitor, console: Console) -> None:
    console.policies.activate(NIGHT, "x", ANN)
    page = visitor.open("/policy")
    page.get_by_role("link", name="default@1").click()
    assert changes(page) == [["name", "night", "default"], ["severities.spam", "8.5", "1"]]
    page.get_by_role("button", name="Activate it").click()
    expect(page.locator("dl.facts")).to_contain_text("default@1")
    assert [row[3] for row in changes(page)] == ["default@1", "night@2"]
    assert active(console) == "default@1"


def test_the_active_version_has_nothing_to_ask(visitor: Visitor) -> None:
    page = visitor.open("/policy/1")
    expect(page.get_by_role("heading", level=1)).to_have_text("Policy")


def test_a_policy_with_faults_stays_in_the_form_with_each_told(visitor: Visitor, console: Console) -> None:
    page = visitor.open("/policy")
    bad = NIGHT.replace("spam = 8.5", "spam = 0").replace("power = 0.7", "power = 7")
    compare(page, bad)
    alert = page.get_by_role("alert").filter(has_text="2 places are wrong")
    expect(alert.get_by_role("listitem")).to_have_count(2)
    expect(alert).to_contain_text("exposure.power is 7; expected a number from 0 to 1. Change it.")
    expect(page.get_by_role("textbox", name="The policy that was sent")).to_have_value(bad)
    assert active(console) == "default@1"


def test_where_only_remarks_differ_it_says_so(visitor: Visitor) -> None:
    page = visitor.open("/policy")
    compare(page, f"# a remark\n{DEFAULT}")
    expect(page.get_by_role("heading", name="No number changes")).to_be_visible()


def test_what_was_activated_meanwhile_is_told_and_compared_anew(visitor: Visitor, console: Console) -> None:
    page = visitor.open("/policy")
    compare(page, NIGHT)
    console.policies.activate(DEFAULT.replace('"default"', '"day"'), "x", ANN)
    page.get_by_role("button", name="Activate it").click()
    expect(page.get_by_role("alert").filter(has_text="Meanwhile day@2 was activated.")).to_be_visible()
    assert active(console) == "day@2"
    assert changes(page)[0] == ["name", "day", "night"]
    page.get_by_role("button", name="Activate it").click()
    expect(page.locator("dl.facts")).to_contain_text("night@3")


def test_words_of_a_policy_are_text_and_nothing_else(visitor: Visitor, console: Console) -> None:
    word = "<img src=x onerror=document.title='taken'>"
    page = visitor.open("/policy")
    compare(page, NIGHT.replace("spam = 8.5\n", f'spam = 8.5\n"{word}</textarea>" = 3\n'))
    expect(page.locator("table.cards")).to_contain_text(word)
    page.get_by_role("button", name="Activate it").click()
    expect(page.locator("dl.facts")).to_contain_text("night@2")
    expect(page).to_have_title("Policy · flagrank")
    assert word in console.policies.read_toml(2)


def test_an_empty_form_is_told_what_a_policy_lacks(console: Console) -> None:
    status, _, body = ask(console, "POST", "/console/policy/changes", "toml=", **FORM)
    assert (status, b"The policy: severities is missing; expected a table." in body) == (422, True)


@pytest.mark.parametrize("replacing", ["", "x", "-1", "9" * 400])
def test_a_form_that_does_not_say_what_it_was_compared_with_activates_nothing(
    console: Console, replacing: str
) -> None:
    body = f"toml={DEFAULT.replace('spam = 1', 'spam = 2')}&replacing={replacing}"
    status, _, _ = ask(console, "POST", "/console/policy", body.replace("\n", "%0A"), **FORM)
    assert status == 409
    assert active(console) == "default@1"


@pytest.mark.parametrize("path", ["/console/policy/99", "/console/policy/x", "/console/policy/-1"])
def test_a_version_that_never_was_is_not_found(console: Console, path: str) -> None:
    assert ask(console, "GET", path)[0] == 404


def test_a_body_far_too_long_is_refused(console: Console) -> None:
    assert ask(console, "POST", "/console/policy/changes", "toml=" + "x" * 500_000, **FORM)[0] == 413


def test_it_takes_a_key_with_the_scope(visitor: Visitor, console: Console) -> None:
    allowed = console.keys.create("policy", Scope.POLICY)
    other = console.keys.create("tasks", Scope.TASKS)
    page = visitor.open("/")
    sign_in(page, allowed)
    expect(page.get_by_role("heading", level=1)).to_have_text("Policy")
    expect(page.get_by_role("navigation", name="Pages").get_by_role("link")).to_have_text(["Policy"])
    compare(page, NIGHT)
    page.get_by_role("button", name="Activate it").click()
    expect(page.locator("dl.facts")).to_contain_text("key:policy")
    page.get_by_role("button", name="Sign out").click()
    sign_in(page, other)
    expect(page.get_by_role("link", name="Policy")).to_have_count(0)
    visitor.open("/policy")
    expect(page.get_by_role("alert").filter(has_text="lacks the scope policy")).to_be_visible()
