import asyncio
import io
import json
import logging
from collections.abc import Iterator

import pytest

from flagrank.telemetry.logs import WITHHELD, LogStyle, configure_logs, get_logger, set_request_id


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root, ours = logging.root, logging.getLogger("flagrank")
    before = root.handlers[:], root.level, ours.level
    yield
    root.handlers[:], root.level, ours.level = before


def configured(style: LogStyle = "json", level: str = "info") -> io.StringIO:
    stream = io.StringIO()
    configure_logs(style, level, stream)
    return stream


def only_event(stream: io.StringIO) -> dict[str, object]:
    (line,) = stream.getvalue().splitlines()
    event: dict[str, object] = json.loads(line)
    return event


def test_an_event_is_one_line_of_json_with_its_fields() -> None:
    stream = configured()
    get_logger("worker").info("task_succeeded", task_id="0199", model="report-priority", model_version="3")
    event = only_event(stream)
    assert str(event.pop("timestamp")).endswith("Z")
    assert event == {
        "event": "task_succeeded",
        "level": "info",
        "logger": "flagrank.worker",
        "task_id": "0199",
        "model": "report-priority",
        "model_version": "3",
    }


def test_a_line_break_in_a_value_starts_no_line() -> None:
    stream = configured()
    get_logger("api").warning("odd", route="/x\n{}")
    assert only_event(stream)["route"] == "/x\n{}"


def test_a_terminal_gets_words_without_colours_where_it_is_none() -> None:
    stream = configured("console")
    get_logger("worker").warning("lease_lost", task_id="0199")
    assert "lease_lost" in stream.getvalue()
    assert "task_id=0199" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


def test_what_lies_below_the_level_is_not_written() -> None:
    stream = configured(level="warning")
    get_logger("worker").info("task_succeeded")
    assert stream.getvalue() == ""
    stream = configured(level="debug")
    get_logger("worker").debug("claimed")
    assert only_event(stream)["level"] == "debug"


def test_a_field_that_is_not_known_is_withheld() -> None:
    stream = configured()
    get_logger("api").info("task_accepted", reporter_id="bob@example.org", n_reports=2)
    event = only_event(stream)
    assert event["reporter_id"] == WITHHELD
    assert event["n_reports"] == 2


async def fail_as(request_id: str, secret: str) -> None:
    set_request_id(request_id)
    await asyncio.sleep(0)
    try:
        int(secret)
    except ValueError as error:
        get_logger("api").error("request_failed", exc_info=error)


def test_concurrent_requests_keep_their_own_ids() -> None:
    async def run_both() -> None:
        await asyncio.gather(fail_as("r1", "s"), fail_as("r2", "s"))

    stream = configured()
    asyncio.run(run_both())
    get_logger("api").info("outside")
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [event.get("request_id") for event in events] == ["r1", "r2", None]


@pytest.mark.parametrize("style", ["json", "console"])
def test_an_exception_is_told_by_type_and_place_and_never_by_its_message(style: LogStyle) -> None:
    stream = configured(style)
    asyncio.run(fail_as("r1", "bob@example.org"))
    text = stream.getvalue()
    assert "ValueError" in text
    assert "fail_as" in text
    assert "bob" not in text


def test_causes_are_told_too_and_of_the_system_its_own_words() -> None:
    stream = configured()
    try:
        try:
            raise FileNotFoundError(2, "x", "/home/bob/reports.csv")
        except OSError as error:
            raise RuntimeError("bob") from error
    except RuntimeError:
        get_logger("api").error("request_failed", exc_info=True)
    exception = str(only_event(stream)["exception"])
    assert "FileNotFoundError: No such file or directory" in exception
    assert exception.endswith("RuntimeError")
    assert "bob" not in exception


def test_other_libraries_say_their_first_line_without_values() -> None:
    stream = configured()
    foreign = logging.getLogger("uvicorn.error")
    try:
        int("bob")
    except ValueError as error:
        foreign.error("Exception for %s\nbob", "bob", exc_info=error)
    foreign.info("nothing to see")
    event = only_event(stream)
    assert event["event"] == "Exception for %s"
    assert event["logger"] == "uvicorn.error"
    assert str(event["exception"]).endswith("ValueError")
    assert "bob" not in stream.getvalue()
