"""Whole answers, good and bad, as they were when somebody last looked at them: answers.json.

After a change that is meant, `UPDATE_ANSWERS=1 pytest tests/api/test_snapshots.py` writes the file anew; read
its diff.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.api.running_server import JSON_TYPE, REPORT, Answer, RunningServer

FILE = Path(__file__).with_name("answers.json")
CHANGING = {"date", "x-request-id", "content-length", "etag", "last-modified"}
GOOD = json.dumps([REPORT]).encode()
SECOND = REPORT | {"report_text_len": 240, "popularity": None, "reason": "scam", "exposure": 40}
BAD = [REPORT | {"popularity": "5", "nope": 1}, {"abuse_type": "XYZ", "report_text_len": 1.5}]
REQUESTS: dict[str, tuple[str, str, bytes | None, dict[str, str]]] = {
    "the first design's request": ("POST", "/prediction", GOOD, JSON_TYPE),
    "two reports": ("POST", "/prediction", json.dumps([REPORT, SECOND]).encode(), JSON_TYPE),
    "bad fields": ("POST", "/prediction", json.dumps(BAD).encode(), JSON_TYPE),
    "no report": ("POST", "/prediction", b"[]", JSON_TYPE),
    "no array": ("POST", "/prediction", b"{}", JSON_TYPE),
    "a body too large": (
        "POST",
        "/prediction",
        b"",
        {"Content-Length": "99999999", "Expect": "100-continue"},
    ),
    "a form": ("POST", "/prediction", b"a=1", {"Content-Type": "application/x-www-form-urlencoded"}),
    "a compressed body": ("POST", "/prediction", b"x", {**JSON_TYPE, "Content-Encoding": "gzip"}),
    "a wrong method": ("GET", "/prediction", None, {}),
    "an unknown address": ("GET", "/nothing", None, {}),
    "a foreign host": ("GET", "/docs", None, {"Host": "evil.example"}),
    "a forwarded request": ("GET", "/docs", None, {"X-Forwarded-For": "192.0.2.1"}),
    "a foreign origin": ("POST", "/prediction", GOOD, {**JSON_TYPE, "Origin": "https://evil.example"}),
    "no host": ("GET", "/heartbeat", None, {"Host": ""}),
    "no HTTP": ("GET", "/heart beat", None, {}),
    "heartbeat": ("GET", "/heartbeat", None, {}),
    "livez": ("GET", "/livez", None, {}),
    "readyz": ("GET", "/readyz", None, {}),
}


def _describe(answer: Answer) -> dict[str, Any]:
    """An answer without what changes from run to run, scores to nine digits."""
    document = answer.document
    document.pop("request_id", None)
    if "model" in document:
        document["model"]["version"] = "..."
        for name in ("scores", "priorities"):
            document[name] = [round(value, 9) for value in document[name]]
    headers = sorted((name.lower(), value) for name, value in answer.headers.items())
    return {
        "status": answer.status,
        "headers": {name: value for name, value in headers if name not in CHANGING},
        "document": document,
    }


def _ask(server: RunningServer, name: str) -> dict[str, Any]:
    method, path, body, headers = REQUESTS[name]
    return _describe(server.ask(method, path, body, {**(JSON_TYPE if body == b"" else {}), **headers}))


@pytest.fixture(scope="module")
def answers(server: RunningServer) -> Any:  # noqa: ANN401 - any JSON value
    """The answers on file."""
    if "UPDATE_ANSWERS" in os.environ:
        seen = {name: _ask(server, name) for name in REQUESTS}
        FILE.write_text(json.dumps(seen, indent=2, ensure_ascii=False) + "\n")
    return json.loads(FILE.read_text())


@pytest.mark.parametrize("name", REQUESTS)
def test_an_answer_is_as_it_was(server: RunningServer, answers: dict[str, Any], name: str) -> None:
    assert _ask(server, name) == answers[name]


def test_no_answer_on_file_is_of_a_request_that_is_gone(answers: dict[str, Any]) -> None:
    assert list(answers) == list(REQUESTS)
