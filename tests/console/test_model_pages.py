"""The pages of models in a browser, on a real registry whose packages are verified and compared."""

import random
import re

import pytest
from playwright.sync_api import Browser, Page, expect

from flagrank.triage.api_key import Scope
from flagrank.triage.model_registry import ModelRole, make_assignment
from flagrank.triage.shadow import ShadowScore
from tests.console.conftest import ANN, Console, Visitor, visit
from tests.console.test_access import ask, sign_in
from tests.packages import held_out

ROWS = "table.cards tbody tr"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
NAME = "<img src=x onerror=\"document.title='taken'\">'&"


def scored(noise: float) -> dict[str, bytes]:
    """Held-out rows whose scores tell the label the less the more noise they have."""
    drawn = random.Random(1)  # noqa: S311 - no secret
    labels = [int(drawn.random() < 0.2) for _ in range(2_000)]
    scores = [min(max(0.2 + 0.4 * label + drawn.gauss(0, noise), 0.0), 1.0) for label in labels]
    return held_out(scores, labels)


def facts(page: Page) -> dict[str, str]:
    """The facts of a page."""
    pairs = page.locator("dl.facts > div").all()
    return {pair.locator("dt").inner_text(): pair.locator("dd").inner_text() for pair in pairs}


def press(page: Page, role: str, name: str) -> None:
    """Go to a link or button with the keyboard alone, and press it."""
    wanted = page.get_by_role(role, name=name, exact=True)  # type: ignore[arg-type]
    expect(wanted).to_have_count(1)
    for _ in range(60):
        page.keyboard.press("Tab")
        if wanted.evaluate("one => one === document.activeElement"):
            page.keyboard.press("Enter")
            return
    pytest.fail(f"The keyboard does not reach {name}.")


def test_without_models_the_list_says_how_to_publish_one(visitor: Visitor) -> None:
    page = visitor.open("/tasks")
    page.get_by_role("link", name="Models").click()
    expect(page.get_by_text("No model is published yet.")).to_be_visible()
    expect(page.get_by_role("link", name="Models")).to_have_attribute("aria-current", "page")
    assert facts(page) == {"Champion": "none", "Challenger": "none", "Shadow": "none"}


def test_versions_are_listed_newest_first_with_their_metrics_side_by_side(
    visitor: Visitor, console: Console
) -> None:
    for n in range(3):
        console.models.publish_as(f"model{n}", {"roc_auc": {"value": 0.9 + n / 100}, "log_loss": "no number"})
    console.models.registry.promote(1, ANN)
    console.models.registry.give_role(3, make_assignment(ModelRole.CHALLENGER, 0.125), ANN)
    page = visitor.open("/models")
    table = page.get_by_role("table", name="Models, newest first")
    rows = [row.inner_text().split("\t") for row in table.locator("tbody tr").all()]
    assert [row[0] for row in rows] == ["version 3", "version 2", "version 1"]
    assert [row[3] for row in rows] == ["0.9200", "0.9100", "0.9000"]
    assert {row[5] for row in rows} == {"none"}
    expect(table.get_by_role("row").filter(has_text="model2")).to_contain_text("challenger on 12.5 %")
    assert facts(page)["Challenger"].startswith("version 3 on 12.5")
    expect(page.get_by_role("link", name="Roll back")).to_have_count(0)
    table.get_by_role("link", name="version 2").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Model version 2")


def test_many_versions_are_shown_page_by_page(visitor: Visitor, console: Console) -> None:
    for n in range(60):
        console.models.publish_as(f"model{n}", {})
    page = visitor.open("/models")
    expect(page.locator(ROWS)).to_have_count(50)
    page.get_by_role("link", name="Older").click()
    expect(page.locator(ROWS)).to_have_count(10)
    expect(page.locator(ROWS).last).to_contain_text("model0")
    page.get_by_role("link", name="Newer").click()
    expect(page.locator(ROWS).first).to_contain_text("model59")


def test_a_version_is_plotted_over_the_champion_and_each_package_read_once(
    visitor: Visitor, console: Console
) -> None:
    models = console.models
    models.promote(models.publish("good", scored(0.1)))
    other = models.publish("other", scored(0.3))
    page = visitor.open(f"/models/{other}")
    for name in ("Reliability", "Lift"):
        plot = page.get_by_role("figure").filter(has_text=name).get_by_role("img")
        expect(plot).to_have_accessible_name(re.compile("^version 2: .*; champion, 1: "))
        expect(plot.locator("g.this polyline").first).to_be_visible()
        expect(plot.locator("g.champion polyline").first).to_be_visible()
    assert page.locator("g.this circle").count() > 5
    assert sorted(models.read) == [1, 2]
    visitor.open(f"/models/{other}")
    visitor.open("/models/1")
    expect(page.locator("g.champion")).to_have_count(0)
    assert sorted(models.read) == [1, 2]


def test_metrics_stand_beside_the_champions(visitor: Visitor, console: Console) -> None:
    registry = console.models.registry
    console.models.publish_as("one", {"roc_auc": {"value": 0.91, "low": 0.9, "high": 0.92}})
    console.models.publish_as("two", {"roc_auc": {"value": None, "why": "There are no positives."}})
    registry.promote(1, ANN)
    page = visitor.open("/models/2")
    row = page.get_by_role("table", name="Metrics beside the champion's").get_by_role("row")
    expect(row.filter(has_text="ROC AUC").get_by_role("cell")).to_have_text(
        ["none There are no positives", re.compile("^0.9100 0.9000.to.0.9200$")]
    )


def test_a_package_that_cant_be_read_or_has_no_rows_leaves_the_rest_of_the_page(
    visitor: Visitor, console: Console
) -> None:
    models = console.models
    models.promote(models.publish("no rows"))
    models.publish_as("no package", {})
    page = visitor.open("/models/2")
    expect(page.get_by_text("model 2 is no readable .zip")).to_be_visible()
    expect(page.get_by_text("The package of version 1 holds no held-out rows to plot.")).to_be_visible()
    expect(page.get_by_role("table", name="History").locator("tbody tr")).to_have_count(1)
    visitor.open("/models/2")
    assert sorted(models.read) == [1, 2]


def test_what_a_shadow_scored_is_summed_up(visitor: Visitor, console: Console) -> None:
    models = console.models
    models.registry.promote(models.publish_as("one", {}), ANN)
    models.registry.give_role(models.publish_as("two", {}), make_assignment(ModelRole.SHADOW, None), ANN)
    models.shadow_log.append([ShadowScore(1, 2, n / 100, n / 100 + 0.125) for n in range(40)])
    for path in ("/models", "/models/2"):
        told = visitor.open(path).get_by_text("Version 2 beside version 1, on 40 sampled reports since")
        expect(told).to_contain_text("it has 100 % of the champion's top 5 %")
        expect(told).to_contain_text("(on the whole +0.1250)")


def test_promoting_and_rolling_back_by_keyboard(visitor: Visitor, console: Console) -> None:
    models = console.models
    models.promote(models.publish("one", scored(0.3)))
    models.publish("two", scored(0.1))
    page = visitor.open("/models/2")
    press(page, "link", "Promote")
    expect(page.get_by_role("heading", level=1)).to_have_text("Promote version 2?")
    assert models.roles() == {1: "champion"}
    press(page, "link", "Leave it")
    expect(page.get_by_role("heading", level=1)).to_have_text("Model version 2")
    press(page, "link", "Promote")
    page.get_by_label("Reason").focus()
    page.keyboard.type("ranks better")
    press(page, "button", "Promote it")
    expect(page.locator("dl.facts .status")).to_have_text("champion")
    assert models.roles() == {2: "champion"}
    newest = page.get_by_role("table", name="History").locator("tbody tr").first
    expect(newest.get_by_role("cell")).to_have_text(
        [
            "local",
            "promotion",
            "none",
            "champion, replaces 1",
            re.compile("^ranks better.*clearly better than"),
        ]
    )
    press(page, "link", "Roll back to version 1")
    expect(page.get_by_role("heading", level=1)).to_have_text("Roll back to version 1?")
    assert models.roles() == {2: "champion"}
    press(page, "button", "Roll back")
    expect(page.get_by_role("heading", level=1)).to_have_text("Model version 1")
    expect(page.locator("dl.facts .status")).to_have_text("champion")
    assert models.roles() == {1: "champion"}


def test_a_clear_loss_is_refused_with_its_finding_and_forced_only_with_a_reason(
    visitor: Visitor, console: Console
) -> None:
    models = console.models
    models.promote(models.publish("one", scored(0.1)))
    models.publish("two", scored(0.6))
    page = visitor.open("/models/2/promote")
    expect(page.locator("[name=force]")).to_have_count(0)
    page.get_by_role("button", name="Promote it").click()
    finding = page.get_by_role("alert").filter(has_text="It is clearly worse than version 1: roc_auc -")
    expect(finding).to_be_visible()
    assert models.roles() == {1: "champion"}
    force = page.get_by_role("button", name="Promote it all the same")
    for reason in ("", "   "):
        page.get_by_label("Reason").fill(reason)
        force.click()
        expect(page.get_by_label("Reason")).to_be_focused()
    assert models.roles() == {1: "champion"}
    page.get_by_label("Reason").fill("the old one leaks")
    force.click()
    expect(page.locator("dl.facts .status")).to_have_text("champion")
    assert models.roles() == {2: "champion"}
    expect(page.locator(ROWS).filter(has_text="the old one leaks")).to_contain_text("clearly worse")


def test_a_force_without_a_reason_is_refused_also_where_no_browser_asks_for_it(console: Console) -> None:
    models = console.models
    models.promote(models.publish("one", scored(0.1)))
    models.publish("two", scored(0.6))
    status, _, body = ask(console, "POST", "/console/models/2/promote", "force=yes&reason=+", **FORM)
    assert status == 422
    assert b"A forced promotion needs a reason." in body
    assert models.roles() == {1: "champion"}


def test_a_package_that_fails_its_verification_changes_nothing(visitor: Visitor, console: Console) -> None:
    models = console.models
    models.promote(models.publish("one"))
    models.publish_as("no package", {})
    page = visitor.open("/models/2/promote")
    page.get_by_label("Reason").fill("why not")
    page.get_by_role("button", name="Promote it").click()
    expect(page.get_by_role("alert").filter(has_text="model 2 is no readable .zip")).to_be_visible()
    expect(page.get_by_label("Reason")).to_have_value("why not")
    expect(page.get_by_role("button", name="Promote it", exact=True)).to_be_visible()
    assert models.roles() == {1: "champion"}


def test_roles_are_given_and_end_and_a_version_is_deleted_when_asked_twice(
    visitor: Visitor, console: Console
) -> None:
    models = console.models
    for n in range(2):
        models.publish_as(f"model{n}", {})
    page = visitor.open("/models/2")
    page.get_by_role("link", name="Make it the challenger").click()
    page.get_by_label("Share").fill("a tenth")
    page.get_by_label("Reason").fill("to see")
    page.get_by_role("button", name="Make it the challenger").click()
    told = page.get_by_role("alert").filter(has_text='The share is "a tenth"; expected a number')
    expect(told).to_be_visible()
    expect(page.get_by_label("Reason")).to_have_value("to see")
    page.get_by_label("Share").fill("1.5")
    page.get_by_role("button", name="Make it the challenger").click()
    expect(page.get_by_role("alert").filter(has_text="share is 1.5; expected")).to_be_visible()
    assert models.roles() == {}
    page.get_by_label("Share").fill("0.25")
    page.get_by_role("button", name="Make it the challenger").click()
    expect(page.locator("dl.facts")).to_contain_text(re.compile("challenger on 25.%"))
    page.get_by_role("link", name="Change its share").click()
    expect(page.get_by_label("Share")).to_have_value("0.25")
    page.get_by_role("link", name="Leave it").click()
    page.get_by_role("link", name="Make it the shadow").click()
    expect(page.get_by_text("Version 2 is the challenger no more then.")).to_be_visible()
    page.get_by_role("button", name="Make it the shadow").click()
    expect(page.locator("dl.facts .status")).to_have_text("shadow")
    expect(page.get_by_role("link", name="Delete")).to_have_count(0)
    page.get_by_role("link", name="End its role").click()
    page.get_by_role("button", name="End its role").click()
    expect(page.locator("dl.facts .status")).to_have_text("none")
    page.get_by_role("link", name="Delete").click()
    assert len(models.registry.list_models()) == 2
    page.get_by_role("button", name="Delete it").click()
    expect(page.locator(ROWS)).to_have_count(1)
    assert [one.version for one in models.registry.list_models()] == [1]


def test_a_rollback_returns_to_the_version_that_was_named_or_to_none(
    visitor: Visitor, console: Console
) -> None:
    models = console.models
    for notes in ("one", "two", "three"):
        models.promote(models.publish(notes))
    page = visitor.open("/models/rollback")
    models.checked.roll_back(ANN)
    page.get_by_label("Reason").fill("it is slow")
    page.get_by_role("button", name="Roll back").click()
    expect(page.get_by_role("alert").filter(has_text="Version 2 is not, or no more")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_text("Roll back to version 1?")
    expect(page.get_by_label("Reason")).to_have_value("it is slow")
    assert models.roles() == {2: "champion"}
    assert ask(console, "POST", "/console/models/rollback", "to=", **FORM)[0] == 422
    assert models.roles() == {2: "champion"}


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/models/rollback", "no champion before"),
        ("/models/1/promote", "Version 1 is the champion"),
        ("/models/2/end-role", "has no role that could end"),
        ("/models/9", "No model has version 9"),
        ("/models/9/promote", "No model has version 9"),
        (f"/models/{'9' * 5000}", "No model has this version"),
        ("/models/x", "No model has this version"),
        ("/models/٣", "No model has this version"),
        ("/models/1/explode", "There is no page at this address"),
    ],
)
def test_what_cant_be_asked_is_told(visitor: Visitor, console: Console, path: str, said: str) -> None:
    for n in range(2):
        console.models.publish_as(f"model{n}", {})
    console.models.registry.promote(1, ANN)
    page = visitor.open(path)
    expect(page.get_by_role("alert").filter(has_text=said)).to_be_visible()
    page.get_by_role("link", name="Back to Models").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Models")


@pytest.mark.parametrize("reason", ["x" * 501, "a%0Ab"])
def test_a_reason_that_cant_be_kept_is_told(console: Console, reason: str) -> None:
    console.models.publish_as("one", {})
    status, _, body = ask(console, "POST", "/console/models/1/delete", f"reason={reason}", **FORM)
    assert status == 422
    assert b"The reason is not 1 to 500 characters" in body
    assert len(console.models.registry.list_models()) == 1


def test_what_models_are_called_is_never_markup(visitor: Visitor, console: Console) -> None:
    version = console.models.publish_as(NAME, {"roc_auc": {"value": None, "why": NAME}})
    console.models.registry.give_role(version, make_assignment(ModelRole.SHADOW, None), ANN)
    for path in ("/models", f"/models/{version}"):
        page = visitor.open(path)
        expect(page.get_by_text(NAME, exact=True).first).to_be_visible()
        assert page.locator("main img, main script").count() == 0
    page = visitor.open(f"/models/{version}/challenger")
    page.get_by_label("Share").fill(NAME)
    page.get_by_role("button").filter(has_text="Make it").click()
    expect(page.get_by_role("alert").filter(has_text="expected a number")).to_be_visible()
    expect(page.get_by_label("Share")).to_have_value(NAME)
    assert page.locator("main img").count() == 0


def test_changes_work_without_scripts(browser: Browser, console: Console) -> None:
    console.models.publish_as("one", {})
    with visit(browser, console, java_script_enabled=False) as visitor:
        page = visitor.open("/models/1")
        page.get_by_role("link", name="Make it the shadow").click()
        page.get_by_role("button", name="Make it the shadow").click()
        expect(page.locator("dl.facts .status")).to_have_text("shadow")


def test_the_key_that_signed_in_is_who_changed_it(visitor: Visitor, console: Console) -> None:
    console.models.publish_as("one", {})
    secret = console.keys.create("release bot", Scope.MODELS)
    page = visitor.open("/models/1")
    sign_in(page, secret)
    expect(page.get_by_role("heading", level=1)).to_have_text("Models")
    visitor.open("/models/1/shadow")
    page.get_by_role("button", name="Make it the shadow").click()
    expect(page.locator(ROWS).filter(has_text="key:release bot")).to_contain_text("shadow")


def test_a_key_opens_the_pages_of_its_scope_and_no_others(visitor: Visitor, console: Console) -> None:
    console.models.publish_as("one", {})
    pages = {Scope.MODELS: "/models", Scope.TASKS: "/tasks"}
    secrets = {scope: console.keys.create(f"only {scope}", scope) for scope in pages}
    for scope, path in pages.items():
        page = visitor.open("")
        sign_in(page, secrets[scope])
        assert page.url.endswith(f"/console{path}")
        (other,) = {"Models", "Tasks"} - {path.strip("/").capitalize()}
        expect(page.get_by_role("link", name=other, exact=True)).to_have_count(0)
        for forbidden in ("/models", "/models/1", "/models/rollback", "/tasks", "/submit"):
            if forbidden.startswith("/models") != path.startswith("/models"):
                visitor.open(forbidden)
                expect(page.get_by_role("alert").filter(has_text="Your key lacks the scope")).to_be_visible()
        page.get_by_role("button", name="Sign out").click()
    cookie = f"flagrank_key={secrets[Scope.TASKS]}"
    for action in ("promote", "shadow", "delete"):
        status, _, _ = ask(console, "POST", f"/console/models/1/{action}", "", Cookie=cookie, **FORM)
        assert status == 403
    assert (console.models.roles(), len(console.models.registry.list_models())) == ({}, 1)
