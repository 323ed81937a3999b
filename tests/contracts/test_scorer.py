"""What every `Scorer` holds to, whichever adapter it is."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import numpy as np
import pytest
from onnx import ModelProto, helper

from flagrank.scoring.batch_scorer import SessionScorer
from flagrank.scoring.coalescer import LOOP_ROWS, CoalescingScorer
from flagrank.scoring.columns import ColumnEncoder
from flagrank.scoring.session import OUTPUT_NAME, ModelSession
from flagrank.triage.errors import PackageRefused
from flagrank.triage.ports import ModelIdentity, Scorer
from flagrank.triage.report import Report, report_type
from tests.packages import make_graph, read_default_schema, score_natively

SCHEMA = read_default_schema()
IDENTITY = ModelIdentity("small", "sha256:0123456789ab")
REPORT = report_type(SCHEMA)

MakeScorer = Callable[[bytes], AbstractAsyncContextManager[Scorer]]


@asynccontextmanager
async def coalescing(model: bytes) -> AsyncIterator[Scorer]:
    session = ModelSession(model, SCHEMA.names)
    with ThreadPoolExecutor(1) as executor:
        yield CoalescingScorer(SessionScorer(IDENTITY, SCHEMA, session, base_rate=0.1), executor)


@pytest.fixture(params=[coalescing])
def make_scorer(request: pytest.FixtureRequest) -> MakeScorer:
    make: MakeScorer = request.param
    return make


def report(length: float, rating: float | None = None) -> Report:
    values = {"f0": "MSG", "f1": float(length), "f2": rating, "f3": 2.5}
    return REPORT(**values)  # type: ignore[arg-type]


def expect(reports: list[Report]) -> list[float]:
    scores: list[float] = score_natively(ColumnEncoder(SCHEMA).encode_reports(reports)).tolist()
    return scores


def make_picky_graph() -> bytes:
    """It fails where a report's text is as long as 999 characters."""
    model = ModelProto()
    model.ParseFromString(make_graph(len(SCHEMA.feature)))
    graph = model.graph
    graph.node[-1].output[0] = "harmless"
    constants = {"table": np.zeros(999), "one_column": np.array(1)}
    for name, value in constants.items():
        graph.initializer.append(
            helper.make_tensor(name, 11 if value.dtype == float else 7, value.shape, value.ravel())
        )
    graph.node.extend(
        [
            helper.make_node("Gather", ["filled", "one_column"], ["lengths"], axis=1),
            helper.make_node("Cast", ["lengths"], ["places"], to=7),
            helper.make_node("Gather", ["table", "places"], ["nothing"]),
            helper.make_node("Add", ["harmless", "nothing"], [OUTPUT_NAME]),
        ]
    )
    encoded: bytes = model.SerializeToString()
    return encoded


GRAPH = make_graph(len(SCHEMA.feature))
PICKY = make_picky_graph()
BAD = report(999)
SIZES = [0, 1, 2, 50, LOOP_ROWS - 1, LOOP_ROWS, LOOP_ROWS + 1, 1_000, 5_000]


def requests_of(*sizes: int) -> list[list[Report]]:
    """Requests whose reports are all different."""
    lengths = iter(range(1_000, 1_000_000))
    return [[report(next(lengths), index % 6 or None) for index in range(size)] for size in sizes]


def answer(
    make: MakeScorer, requests: list[list[Report]], model: bytes = GRAPH
) -> list[list[float] | BaseException]:
    """What each of some concurrent requests gets."""

    async def ask() -> list[list[float] | BaseException]:
        async with make(model) as scorer:
            return await asyncio.gather(*map(scorer.score, requests), return_exceptions=True)

    return asyncio.run(ask())


def test_it_names_its_model(make_scorer: MakeScorer) -> None:
    async def ask() -> ModelIdentity:
        async with make_scorer(GRAPH) as scorer:
            return scorer.model

    assert asyncio.run(ask()) == IDENTITY


@pytest.mark.parametrize("size", SIZES)
def test_each_report_has_its_models_score_in_the_order_given(size: int, make_scorer: MakeScorer) -> None:
    (reports,) = requests_of(size)
    assert answer(make_scorer, [reports]) == [pytest.approx(expect(reports), abs=1e-12)]


def test_scores_are_plain_floats_in_the_open_interval(make_scorer: MakeScorer) -> None:
    (scores,) = answer(make_scorer, [[report(0), report(1_000_000, 5.0)]])
    assert isinstance(scores, list)
    assert all(type(score) is float and 0 < score < 1 for score in scores)


def test_concurrent_requests_of_any_sizes_get_their_own_scores(make_scorer: MakeScorer) -> None:
    requests = requests_of(*SIZES, *reversed(SIZES), *[1] * 300)
    assert answer(make_scorer, requests) == [answer(make_scorer, [request])[0] for request in requests]


def test_a_score_is_the_same_to_the_bit_in_any_batch(make_scorer: MakeScorer) -> None:
    (reports,) = requests_of(300)
    alone = answer(make_scorer, [[one] for one in reports])
    assert answer(make_scorer, [reports]) == [[score for scores in alone for score in scores]]  # type: ignore[union-attr]


def test_a_request_that_is_given_up_disturbs_no_other(make_scorer: MakeScorer) -> None:
    requests = requests_of(3, 5, 7, 1_000, 9)

    async def ask() -> list[list[float] | BaseException]:
        async with make_scorer(GRAPH) as scorer:
            tasks = [asyncio.create_task(scorer.score(request)) for request in requests]
            await asyncio.sleep(0)  # all wait, none is scored
            for given_up in (1, 3):
                tasks[given_up].cancel()
            return await asyncio.gather(*tasks, return_exceptions=True)

    scores = asyncio.run(ask())
    for index, request in enumerate(requests):
        if index in {1, 3}:
            assert isinstance(scores[index], asyncio.CancelledError)
        else:
            assert scores[index] == pytest.approx(expect(request), abs=1e-12)


@pytest.mark.parametrize("size", [1, 20, LOOP_ROWS, 1_000])
def test_where_a_model_fails_on_a_report_only_its_request_fails(size: int, make_scorer: MakeScorer) -> None:
    good = [[report(length)] for length in range(40)]
    bad = [report(5)] * (size - 1) + [BAD]
    answers = answer(make_scorer, [*good[:20], bad, *good[20:]], PICKY)
    assert isinstance(answers.pop(20), PackageRefused)
    assert answers == [pytest.approx(expect(request), abs=1e-12) for request in good]


def test_where_a_model_fails_on_all_each_is_told(make_scorer: MakeScorer) -> None:
    answers = answer(make_scorer, [[BAD], [BAD, BAD], [BAD] * 500], PICKY)
    assert [type(answered) for answered in answers] == [PackageRefused] * 3


def test_after_a_failure_it_scores_on(make_scorer: MakeScorer) -> None:
    async def ask() -> list[float]:
        async with make_scorer(PICKY) as scorer:
            with pytest.raises(PackageRefused):
                await scorer.score([BAD])
            return await scorer.score([report(7)])

    assert asyncio.run(ask()) == pytest.approx(expect([report(7)]), abs=1e-12)
