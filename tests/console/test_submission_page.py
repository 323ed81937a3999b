"""A file of reports becomes a task, or is refused by line."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.console.conftest import LIMIT_BYTES, Console, Visitor

HEADER = "abuse_type,report_text_len,profile_rating,popularity,report_id,reason,other"
GOOD = f"{HEADER}\nMSG,12,4.5,,r1,scam,x\nPRF,12.0,,2,,,\n"


def submit(page: Page, file: Path) -> None:
    page.get_by_label("File", exact=True).set_input_files(file)
    page.get_by_role("button", name="Submit").click()


def write(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(text)
    return file


def test_a_csv_file_becomes_a_task(visitor: Visitor, console: Console, tmp_path: Path) -> None:
    page = visitor.open("/submit")
    submit(page, write(tmp_path, "reports.csv", GOOD))
    expect(page.locator("dl.facts")).to_contain_text("queued")
    task_id = page.url.rpartition("/")[2]
    (claimed,) = console.store.claim()
    assert claimed.lease.task_id == task_id
    first, second = json.loads(claimed.reports)
    assert first == {
        "abuse_type": "MSG",
        "report_text_len": 12,
        "profile_rating": 4.5,
        "popularity": None,
        "report_id": "r1",
        "reason": "scam",
    }
    assert len(second.pop("report_id")) == 36
    assert second == {"abuse_type": "PRF", "report_text_len": 12, "profile_rating": None, "popularity": 2.0}


def test_a_json_file_with_all_fields_and_markup_in_its_name(
    visitor: Visitor, console: Console, tmp_path: Path
) -> None:
    report = {
        "abuse_type": "MSG",
        "report_text_len": 1,
        "profile_rating": 1,
        "popularity": None,
        "content_text": "one\ntwo",
        "content_url": "https://example.org/1",
        "reported_at": "2026-01-05T10:00:00+01:00",
        "exposure": 3,
    }
    page = visitor.open("/submit")
    submit(page, write(tmp_path, "<b>.jsonl", json.dumps(report)))
    expect(page.locator("dl.facts")).to_contain_text("queued")
    (claimed,) = console.store.claim()
    (stored,) = json.loads(claimed.reports)
    assert report | {"report_id": stored["report_id"]} == stored


def test_a_task_may_be_urgent_and_run_later(visitor: Visitor, tmp_path: Path) -> None:
    page = visitor.open("/submit")
    page.get_by_label("Task priority").select_option("high")
    page.get_by_label("Run at").fill("2199-01-01T10:00")
    submit(page, write(tmp_path, "reports.csv", GOOD))
    expect(page.locator("dl.facts")).to_contain_text("scheduled")
    expect(page.locator("dl.facts")).to_contain_text("2199-01-01 10:00:00")
    expect(page.locator("dl.facts")).to_contain_text("high")


def test_bad_rows_are_named_by_line_and_nothing_is_taken(
    visitor: Visitor, console: Console, tmp_path: Path
) -> None:
    text = f"{HEADER}\nMSG,12,9,,r1,,\nMSG,12,4,,r2,,\nXYZ,1.5,1,,{'r' * 129},boredom,\n"
    page = visitor.open("/submit")
    submit(page, write(tmp_path, "reports.csv", text))
    problem = page.get_by_role("alert").filter(has_text="reports.csv has 5 faults")
    expect(problem).to_be_visible()
    told = problem.locator("li").all_inner_texts()
    assert [sentence.split()[:4] for sentence in told] == [
        ["line", "2,", "column", "profile_rating"],
        ["line", "4,", "column", "abuse_type"],
        ["line", "4,", "column", "report_text_len"],
        ["line", "4,", "column", "reason"],
        ["line", "4,", "column", "report_id"],
    ]
    assert str(tmp_path.parent) not in page.content()
    assert "flagrank-" not in problem.inner_text()
    expect(page.get_by_label("File", exact=True)).to_have_attribute("aria-invalid", "true")
    assert console.store.counts() == {}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("reports.csv", f"{HEADER}\n", "has no reports"),
        ("reports.csv", "abuse_type\nMSG\n", "has no column"),
        ("reports.csv", "", "is empty"),
        ("reports.jsonl", "{", "line 1 is no JSON"),
        ("reports.xlsx", "PK", "tells no kind of file"),
        ("reports.csv.gz", "x", "tells no kind of file"),
        ("<img src=x>.csv", "", "<img src=x>.csv is empty"),
        ("reports.csv", HEADER + "\nMSG,1,1,1,,," * 10_001 + "\n", "more than 10,000 reports"),
        ("reports.csv", "x" * 3 * LIMIT_BYTES, "larger than"),
    ],
)
def test_a_file_that_is_none_of_reports_is_told(
    visitor: Visitor, console: Console, tmp_path: Path, *, name: str, text: str, said: str
) -> None:
    page = visitor.open("/submit")
    submit(page, write(tmp_path, name, text))
    expect(page.get_by_role("alert").filter(has_text=said)).to_be_visible()
    assert console.store.counts() == {}


def test_without_a_model_the_page_says_so(visitor: Visitor, console: Console, tmp_path: Path) -> None:
    console.schema = None
    page = visitor.open("/submit")
    expect(page.get_by_text("No model serves, so that no file can be read.")).to_be_visible()
    submit(page, write(tmp_path, "reports.csv", GOOD))
    expect(page.get_by_role("alert").filter(has_text="No model serves")).to_be_visible()
