"""The pages of tasks in a browser, on a real store."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import Page, expect

from flagrank.triage.task import TaskPriority
from tests.console.conftest import Console, Visitor
from tests.task_store import FAR, submission

ROWS = "table.cards tbody tr"


def facts(page: Page) -> dict[str, str]:
    """The facts of a task as its page shows them."""
    pairs = page.locator("dl.facts > div").all()
    return {pair.locator("dt").inner_text(): pair.locator("dd").inner_text() for pair in pairs}


def test_a_list_without_tasks_says_where_they_come_from(visitor: Visitor) -> None:
    page = visitor.open("/tasks")
    expect(page.get_by_role("heading", level=1)).to_have_text("Tasks")
    expect(page.get_by_text("No task yet.")).to_be_visible()


def test_tasks_past_and_scheduled_are_listed_newest_first(visitor: Visitor, console: Console) -> None:
    store = console.store
    (succeeded,) = store.submit(n_reports=3)
    store.finish(store.claim())
    (failed,) = store.submit()
    store.fail(store.claim())
    (scheduled,) = store.accept([submission(run_at=FAR)])
    (queued,) = store.submit(priority=TaskPriority.HIGH)
    page = visitor.open("/tasks")
    shown = [row.inner_text() for row in page.locator(ROWS).all()]
    for text, task_id, status in zip(
        shown,
        [queued, scheduled, failed, succeeded],
        ["queued", "scheduled", "failed", "succeeded"],
        strict=True,
    ):
        assert task_id in text
        assert status in text
    assert "high" in shown[0]
    assert "runs 2199-01-01 00:00:00" in shown[1]
    expect(page.locator(".counts")).to_contain_text("succeeded 1")


def test_the_list_moves_by_itself_and_says_so(visitor: Visitor, console: Console) -> None:
    page = visitor.open("/tasks")
    news = page.get_by_role("status")
    expect(news).to_be_empty()
    (task_id,) = console.store.submit()
    expect(page.locator(ROWS)).to_contain_text("queued")
    expect(news).to_have_text("The list of tasks has changed.")
    link = page.get_by_role("link", name=task_id)
    link.focus()
    console.store.finish(console.store.claim())
    expect(page.locator(ROWS)).to_contain_text("succeeded")
    expect(link).to_be_focused()


def test_a_list_that_has_not_changed_is_not_touched(visitor: Visitor, console: Console) -> None:
    console.store.submit()
    page = visitor.open("/tasks")
    page.evaluate("document.querySelector('#live').dataset.mark = 'mine'")
    with page.expect_response(re.compile("/console/tasks/live")) as answered:
        pass
    assert answered.value.status == 204
    expect(page.locator("#live[data-mark=mine]")).to_be_visible()


def test_filters_by_status_and_time(visitor: Visitor, console: Console) -> None:
    (done,) = console.store.submit()
    console.store.finish(console.store.claim())
    (waiting,) = console.store.submit()
    page = visitor.open("/tasks")
    page.get_by_label("Status", exact=True).select_option("succeeded")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator(ROWS)).to_have_count(1)
    expect(page.get_by_role("link", name=done)).to_be_visible()
    expect(page.get_by_label("Status", exact=True)).to_have_value("succeeded")
    page.get_by_role("link", name="Show all").click()
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M")
    page.get_by_label("Submitted since").fill(tomorrow)
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_text("No task matches.")).to_be_visible()
    page.get_by_label("Submitted since").fill("")
    page.get_by_label("Submitted before").fill(tomorrow)
    page.get_by_role("button", name="Filter").click()
    expect(page.locator(ROWS)).to_have_count(2)
    expect(page.get_by_role("link", name=waiting)).to_be_visible()


def test_a_moving_list_keeps_its_filter(visitor: Visitor, console: Console) -> None:
    page = visitor.open("/tasks?status=failed")
    console.store.submit()
    expect(page.locator(".counts")).to_contain_text("queued 1")
    expect(page.get_by_text("No task matches.")).to_be_visible()


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("since=yesterday", "Submitted since is no time"),
        ("until=2027-02-30T10:00", "Submitted before is no time"),
        ("status=done", "The status is none that there is"),
    ],
)
def test_a_filter_that_means_nothing_is_told(visitor: Visitor, query: str, said: str) -> None:
    page = visitor.open(f"/tasks?{query}")
    expect(page.get_by_role("alert").filter(has_text=said)).to_be_visible()


def test_a_cursor_that_is_none_of_ours_is_told(visitor: Visitor) -> None:
    page = visitor.open("/tasks?cursor=x")
    expect(page.get_by_role("alert").filter(has_text="The cursor is none")).to_be_visible()


def test_pages_show_each_task_once(visitor: Visitor, console: Console) -> None:
    submitted = console.store.submit(120)
    page = visitor.open("/tasks")
    seen: list[str] = []
    while True:
        seen += page.locator(f"{ROWS} a").all_inner_texts()
        older = page.get_by_role("link", name="Older")
        if not older.count():
            break
        older.click()
        page.wait_for_load_state()
    assert sorted(seen) == sorted(submitted)
    page.get_by_role("link", name="Newest").click()
    expect(page.locator(ROWS)).to_have_count(50)


def test_a_task_shows_its_scores_most_urgent_first(visitor: Visitor, console: Console) -> None:
    (task_id,) = console.store.submit(n_reports=120)
    page = visitor.open(f"/tasks/{task_id}")
    assert facts(page)["Status"] == "queued"
    expect(page.locator(ROWS).first).to_contain_text("r0")
    console.store.finish(console.store.claim())
    expect(page.locator("dl.facts")).to_contain_text("succeeded")
    expect(page.get_by_role("status")).to_have_text("The task is succeeded.")
    assert facts(page)["Model"] == "report-priority 3"
    first = page.locator(ROWS).first
    expect(first).to_contain_text("r119")
    expect(first.locator("data").first).to_have_attribute("value", str(120 / 7 / 120))
    page.get_by_role("link", name="Next").click()
    expect(page.locator(ROWS)).to_have_count(20)
    expect(page.locator(ROWS).last).to_contain_text("r0")
    page.get_by_role("link", name="Previous").click()
    expect(page.locator(ROWS)).to_have_count(100)


def test_a_final_task_is_asked_for_no_more(visitor: Visitor, console: Console) -> None:
    (task_id,) = console.store.submit()
    console.store.finish(console.store.claim())
    page = visitor.open(f"/tasks/{task_id}")
    expect(page.locator("#live")).not_to_have_attribute("hx-get", re.compile(".*"))


def test_cancelling_asks_first(visitor: Visitor, console: Console) -> None:
    (task_id,) = console.store.accept([submission(run_at=FAR)])
    page = visitor.open(f"/tasks/{task_id}")
    page.get_by_role("link", name="Cancel this task").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Cancel this task?")
    page.get_by_role("link", name="Keep it").click()
    assert console.store.status(task_id) == "scheduled"
    page.get_by_role("link", name="Cancel this task").click()
    page.get_by_role("button", name="Cancel the task").click()
    expect(page.locator("dl.facts")).to_contain_text("cancelled")
    assert console.store.status(task_id) == "cancelled"
    expect(page.get_by_role("link", name="Cancel this task")).to_have_count(0)


def test_a_failed_task_shows_why_and_is_tried_again(visitor: Visitor, console: Console) -> None:
    (task_id,) = console.store.submit()
    console.store.fail(console.store.claim())
    page = visitor.open(f"/tasks/{task_id}")
    expect(page.get_by_text("The model refused report 0. Look at it.")).to_be_visible()
    page.get_by_role("link", name="Try it again").click()
    page.get_by_role("button", name="Try it again").click()
    expect(page.locator("dl.facts")).to_contain_text("queued")
    assert console.store.status(task_id) == "queued"


def test_a_change_that_came_too_late_is_told(visitor: Visitor, console: Console) -> None:
    (task_id,) = console.store.submit()
    page = visitor.open(f"/tasks/{task_id}/cancel")
    console.store.finish(console.store.claim())
    page.get_by_role("button", name="Cancel the task").click()
    expect(page.get_by_role("alert").filter(has_text="succeeded")).to_be_visible()


@pytest.mark.parametrize("path", ["/tasks/nonsense", "/tasks/0199c6a1-64a0-7c5e-9a0d-3f1b5d0e7a21"])
def test_an_unknown_task_is_told(visitor: Visitor, path: str) -> None:
    page = visitor.open(path)
    expect(page.get_by_role("alert").filter(has_text="No task has this id")).to_be_visible()


def test_what_reports_are_called_is_never_markup(visitor: Visitor, console: Console) -> None:
    name = "<img src=x onerror=\"document.title='taken'\">'&"
    made = submission()
    reports = f'[{{"report_id": "{name.replace(chr(34), chr(92) + chr(34))}"}}]'.encode()
    (task_id,) = console.store.accept([msgspec.structs.replace(made, reports=reports)])
    page = visitor.open(f"/tasks/{task_id}")
    expect(page.locator(f"{ROWS} th")).to_have_text(name)
    assert page.locator("table img").count() == 0


def test_a_server_that_went_away_is_told_and_one_that_came_back(visitor: Visitor) -> None:
    page = visitor.open("/tasks")
    page.context.set_offline(True)
    lost = page.get_by_role("alert").filter(has_text="The server does not answer")
    expect(lost).to_be_visible()
    page.context.set_offline(False)
    expect(lost).to_be_hidden()
    visitor.complaints.clear()  # Chromium reports each request that failed


def test_a_database_that_went_away_is_told(visitor: Visitor, console: Console, tmp_path: Path) -> None:
    page = visitor.open("/tasks")
    console.database.close()
    file = tmp_path / "tasks.db"
    hidden = tmp_path / "hidden.db"
    file.rename(hidden)
    file.mkdir()
    expect(page.get_by_role("alert").filter(has_text="The server does not answer")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("That did not work")
    file.rmdir()
    hidden.rename(file)
    assert {text.partition(" from ")[0] for text in visitor.complaints} == {"Response Status Error Code 503"}
    visitor.complaints.clear()
