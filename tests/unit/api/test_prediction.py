"""The scoring route alone, with a scorer that remembers what reached it."""

import asyncio
import json
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.resources import files
from typing import Any

import pytest

from flagrank.api.explaining import MOST_EXPLAINED, Explaining
from flagrank.api.prediction import LOOP_BYTES, PredictionRoute
from flagrank.api.request_body import BodyReader
from flagrank.api.serving import Serving
from flagrank.settings import load_default_policy
from flagrank.triage.case import gather_evidence
from flagrank.triage.errors import ExplanationRefused, PackageRefused
from flagrank.triage.explanation import Explanation
from flagrank.triage.feature_schema import parse_schema
from flagrank.triage.ports import ModelIdentity, Scorer
from flagrank.triage.priority import assess_case
from flagrank.triage.report import CONTEXT_FIELDS, Report
from flagrank.triage.report_decoding import ReportDecoder
from tests.api.bad_bodies import BAD_BODIES, BadBody
from tests.api.running_server import REPORT
from tests.case_reports import make_report

DEFAULT_POLICY = load_default_policy()

LIMIT = 32 * 2**20
SCHEMA = parse_schema(
    (files("flagrank") / "default_schema.toml").read_text("utf-8"), "default", CONTEXT_FIELDS
)
JSON_HEADERS = {b"content-type": b"application/json"}


class RememberingScorer:
    """Gives every report the same score and counts those that it was asked for."""

    model = ModelIdentity("remembering", "1")
    base_rate = 0.1

    def __init__(self) -> None:
        self.asked = 0

    async def score(self, reports: Sequence[Report]) -> list[float]:
        """Score, after another turn of the loop as the real one does."""
        self.asked += len(reports)
        await asyncio.sleep(0)
        return [0.5] * len(reports)


class PatientExplainer:
    """Explains a report by the score that it was given, once it may; two reports at most."""

    def __init__(self) -> None:
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.explained = 0

    def check_explainable(self, count: int) -> None:
        """Refuse more than two."""
        if count > 2:
            raise ExplanationRefused("These are too many. Send at most 2.")

    def explain(self, report: Report, score: float) -> Explanation:
        """Explain."""
        del report
        assert self.may_go_on.wait(20)
        self.explained += 1
        return Explanation(score, {}, f"number {self.explained}")


class FailingScorer(RememberingScorer):
    """Fails as a model does that breaks on some rows."""

    async def score(self, reports: Sequence[Report]) -> list[float]:
        """Fail."""
        del reports
        raise PackageRefused("model.onnx fails on valid rows: secret path. Export the model again.")


@contextmanager
def _opened_route(scorer: Scorer | None, explainer: PatientExplainer) -> Iterator[PredictionRoute]:
    with ThreadPoolExecutor(1) as executor, ThreadPoolExecutor(1) as explaining:
        decoder = ReportDecoder(SCHEMA, DEFAULT_POLICY.severities)
        serving = Serving(scorer, SCHEMA, DEFAULT_POLICY, decoder, explainer) if scorer else None
        yield PredictionRoute(lambda: serving, BodyReader(LIMIT), executor, Explaining(explaining))


def _ask(
    scorer: Scorer | None, *pieces: bytes, headers: dict[bytes, bytes] | None = None, is_gone: bool = False
) -> list[dict[str, Any]]:
    """What the route sends for a body that comes in pieces."""
    with _opened_route(scorer, PatientExplainer()) as route:
        return asyncio.run(_ask_route(route, pieces, headers=headers, is_gone=is_gone))


async def _ask_route(
    route: PredictionRoute,
    pieces: Sequence[bytes],
    query: bytes = b"",
    *,
    headers: dict[bytes, bytes] | None = None,
    is_gone: bool = False,
) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []
    messages = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    messages[-1]["more_body"] = is_gone
    if is_gone:
        messages.append({"type": "http.disconnect"})

    async def receive() -> dict[str, Any]:
        if not messages:
            await asyncio.Event().wait()  # the client waits for its answer
        return messages.pop(0)

    async def send(message: Any) -> None:  # noqa: ANN401 - a mutable mapping of ASGI
        sent.append(message)

    state = {"request_id": "r", "headers": JSON_HEADERS if headers is None else headers}
    scope = {"type": "http", "method": "POST", "path": "/prediction", "query_string": query, "state": state}
    try:
        await route(scope, receive, send)
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
    told = json.loads(answer["body"])
    assert told["scores"] == [0.5] * count
    alone = make_report(0.5, abuse_type=REPORT["abuse_type"], base_rate=RememberingScorer.base_rate)
    priority = assess_case(gather_evidence([alone]), DEFAULT_POLICY).priority
    assert told["priorities"] == [priority] * count
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


EXPLAIN = b"explain=true"
ONE, TWO, THREE = (json.dumps([REPORT] * count).encode() for count in (1, 2, 3))


def test_explanations_are_given_in_the_order_sent() -> None:
    with _opened_route(RememberingScorer(), PatientExplainer()) as route:
        _, answer = asyncio.run(_ask_route(route, [TWO], EXPLAIN))
    explanations = json.loads(answer["body"])["explanations"]
    assert explanations == [
        {"base_value": 0.5, "contributions": {}, "sentence": f"number {number}"} for number in (1, 2)
    ]


def test_what_can_t_be_explained_is_not_scored() -> None:
    scorer = RememberingScorer()
    with _opened_route(scorer, PatientExplainer()) as route:
        start, answer = asyncio.run(_ask_route(route, [THREE], EXPLAIN))
    assert start["status"] == 422
    assert json.loads(answer["body"])["code"] == "explanation_refused"
    assert scorer.asked == 0


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (b"explain=yes", 'query.explain is "yes"; expected true, false.'),
        (b"explain=True", 'query.explain is "True"; expected true, false.'),
        (b"explain=", 'query.explain is ""; expected true, false.'),
        (b"explain", 'query.explain is ""; expected true, false.'),
        (b"explain=true&explain=true", "query.explain is given twice. Give it once."),
        (b"explain=%00" + b"x" * 60, f'query.explain is "?{"x" * 39} [...]"; expected true, false.'),
    ],
)
def test_a_bad_value_of_explain_is_refused_before_the_body_is_read(query: bytes, said: str) -> None:
    with _opened_route(RememberingScorer(), PatientExplainer()) as route:
        start, answer = asyncio.run(_ask_route(route, [b"["], query, headers={}))
    assert start["status"] == 422
    problem = json.loads(answer["body"])
    assert problem["code"] == "invalid_query"
    assert problem["errors"] == [{"path": "query.explain", "detail": said}]


@pytest.mark.parametrize(
    ("query", "is_explained"),
    [
        (b"", False),
        (b"explain=false", False),
        (b"explained=1&Explain=true&x=%FF&x=%zz&&=&;", False),
        (b"x=%FF&expl%61in=tru%65", True),
        (b"&".join([b"x=1"] * 5_000) + b"&explain=true", True),
    ],
)
def test_other_names_of_the_query_are_passed_over(query: bytes, is_explained: bool) -> None:  # noqa: FBT001
    with _opened_route(RememberingScorer(), PatientExplainer()) as route:
        start, answer = asyncio.run(_ask_route(route, [ONE], query))
    assert start["status"] == 200
    assert ("explanations" in json.loads(answer["body"])) is is_explained


def test_while_scores_are_explained_others_are_scored() -> None:
    explainer = PatientExplainer()
    explainer.may_go_on.clear()

    async def ask(route: PredictionRoute) -> list[dict[str, Any]]:
        explained = asyncio.create_task(_ask_route(route, [TWO], EXPLAIN))
        for _ in range(20):
            start, _ = await _ask_route(route, [ONE])
            assert start["status"] == 200
        assert not explained.done()
        explainer.may_go_on.set()
        return await explained

    with _opened_route(RememberingScorer(), explainer) as route:
        assert asyncio.run(ask(route))[0]["status"] == 200


def test_requests_to_explain_take_turns_and_too_many_are_sent_away() -> None:
    explainer = PatientExplainer()
    explainer.may_go_on.clear()

    async def ask(route: PredictionRoute) -> list[list[dict[str, Any]]]:
        waiting = [asyncio.create_task(_ask_route(route, [TWO], EXPLAIN)) for _ in range(MOST_EXPLAINED)]
        await asyncio.sleep(0.2)  # all have their scores and wait for explanations
        start, answer = await _ask_route(route, [ONE], EXPLAIN)
        assert start["status"] == 503
        assert (b"retry-after", b"5") in start["headers"]
        assert json.loads(answer["body"])["code"] == "explaining_busy"
        explainer.may_go_on.set()
        answered = await asyncio.gather(*waiting)
        assert (await _ask_route(route, [ONE], EXPLAIN))[0]["status"] == 200
        return answered

    with _opened_route(RememberingScorer(), explainer) as route:
        answered = asyncio.run(ask(route))
    numbers = [
        [one["sentence"] for one in json.loads(answer["body"])["explanations"]] for _, answer in answered
    ]
    first, second = zip(*numbers, strict=True)
    assert sorted(first) == sorted(f"number {number + 1}" for number in range(MOST_EXPLAINED))
    assert not set(first) & set(second)  # nobody's second report came before everybody's first
