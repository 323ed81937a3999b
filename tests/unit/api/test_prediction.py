"""The scoring route alone, with a scorer that remembers what reached it."""

import asyncio
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from typing import Any

import pytest

from flagrank.api.prediction import LOOP_BYTES, PredictionRoute
from flagrank.api.request_body import BodyReader
from flagrank.api.serving import Serving
from flagrank.triage.errors import PackageRefused
from flagrank.triage.feature_schema import parse_schema
from flagrank.triage.policy import DEFAULT_POLICY
from flagrank.triage.ports import ModelIdentity, Scorer
from flagrank.triage.report import CONTEXT_FIELDS, Report
from flagrank.triage.report_decoding import ReportDecoder
from tests.api.bad_bodies import BAD_BODIES, BadBody
from tests.api.running_server import REPORT

LIMIT = 32 * 2**20
SCHEMA = parse_schema(
    (files("flagrank") / "default_schema.toml").read_text("utf-8"), "default", CONTEXT_FIELDS
)
JSON_HEADERS = {b"content-type": b"application/json"}


class RememberingScorer:
    """Gives every report the same score and counts those that it was asked for."""

    model = ModelIdentity("remembering", "1")

    def __init__(self) -> None:
        self.asked = 0

    async def score(self, reports: Sequence[Report]) -> list[float]:
        """Score, after another turn of the loop as the real one does."""
        self.asked += len(reports)
        await asyncio.sleep(0)
        return [0.5] * len(reports)


class FailingScorer(RememberingScorer):
    """Fails as a model does that breaks on some rows."""

    async def score(self, reports: Sequence[Report]) -> list[float]:
        """Fail."""
        del reports
        raise PackageRefused("model.onnx fails on valid rows: secret path. Export the model again.")


def _ask(
    scorer: Scorer | None, *pieces: bytes, headers: dict[bytes, bytes] | None = None, is_gone: bool = False
) -> list[dict[str, Any]]:
    """What the route sends for a body that comes in pieces."""
    sent: list[dict[str, Any]] = []
    messages = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    messages[-1]["more_body"] = is_gone
    messages.append({"type": "http.disconnect"})

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def send(message: Any) -> None:  # noqa: ANN401 - a mutable mapping of ASGI
        sent.append(message)

    state = {"request_id": "r", "headers": JSON_HEADERS if headers is None else headers}
    scope = {"type": "http", "method": "POST", "path": "/prediction", "query_string": b"", "state": state}
    with ThreadPoolExecutor(1) as executor:
        decoder = ReportDecoder(SCHEMA, DEFAULT_POLICY.severities)
        serving = Serving(scorer, SCHEMA, decoder) if scorer else None
        route = PredictionRoute(lambda: serving, DEFAULT_POLICY, BodyReader(LIMIT), executor)
        try:
            asyncio.run(route(scope, receive, send))
        except PackageRefused:
            sent.append({"raised": True})
    return sent


@pytest.mark.parametrize("bad", BAD_BODIES, ids=[bad.name for bad in BAD_BODIES])
def test_nothing_of_a_bad_body_reaches_the_model(bad: BadBody) -> None:
    scorer = RememberingScorer()
    assert _ask(scorer, bad.body)[0]["status"] == bad.status
    assert scorer.asked == 0


@pytest.mark.parametrize("count", [1, 2_000], ids=["on the loop", "in the executor"])
def test_every_report_of_a_good_body_reaches_the_model_once(count: int) -> None:
    scorer = RememberingScorer()
    body = json.dumps([REPORT] * count).encode()
    assert (len(body) > LOOP_BYTES) is (count > 1)
    start, answer = _ask(scorer, *[body[i : i + 1_000] for i in range(0, len(body), 1_000)])
    assert start["status"] == 200
    assert json.loads(answer["body"])["scores"] == [0.5] * count
    assert scorer.asked == count


def test_a_client_that_is_gone_is_not_scored_and_not_answered() -> None:
    scorer = RememberingScorer()
    assert _ask(scorer, json.dumps([REPORT]).encode(), is_gone=True) == []
    assert scorer.asked == 0


def test_a_fault_of_ours_is_answered_without_its_cause_and_raised_for_the_log() -> None:
    start, answer, raised = _ask(FailingScorer(), json.dumps([REPORT]).encode())
    assert start["status"] == 500
    problem = json.loads(answer["body"])
    assert (problem["code"], problem["request_id"]) == ("internal_error", "r")
    assert "secret" not in answer["body"].decode()
    assert raised == {"raised": True}


def test_without_a_model_the_body_is_not_even_read() -> None:
    start, _ = _ask(None, b"[", headers={})
    assert start["status"] == 503


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {b"content-type": b"text/json"},
        {**JSON_HEADERS, b"content-encoding": b"gzip"},
        {**JSON_HEADERS, b"content-length": b"%d" % (LIMIT + 1)},
    ],
    ids=["no type", "another type", "compressed", "too long"],
)
def test_a_body_refused_by_its_headers_is_not_read(headers: dict[bytes, bytes]) -> None:
    scorer = RememberingScorer()
    start, _ = _ask(scorer, json.dumps([REPORT]).encode(), headers=headers)
    assert start["status"] in {413, 415}
    assert scorer.asked == 0


def test_a_body_that_turns_out_too_long_is_refused() -> None:
    half = b" " * (LIMIT // 2)
    start, _ = _ask(RememberingScorer(), half, half, b" ")
    assert start["status"] == 413
