"""A score never depends on batch size, order or concurrency, down to the last bit."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import count

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from flagrank.scoring.batch_scorer import SessionScorer
from flagrank.scoring.coalescer import CoalescingScorer
from flagrank.scoring.columns import ColumnEncoder, Matrix
from flagrank.scoring.package import Package, read_package
from flagrank.scoring.session import ModelSession
from flagrank.settings import DEMO_MODEL
from flagrank.triage.report import Report, report_type

lengths = st.integers(0, 1_000_000).map(float)
ratings = st.none() | st.floats(0, 5)


@cache
def load() -> tuple[Package, ModelSession, ColumnEncoder, type[Report]]:
    """The bundled model: trees and a calibration, as training writes them."""
    package = read_package(DEMO_MODEL)
    schema = package.manifest.schema
    return package, ModelSession(package.model, schema.names), ColumnEncoder(schema), report_type(schema)


def make_report(kind: str, length: float, rating: float | None, popularity: float | None) -> Report:
    values = {"f0": kind, "f1": length, "f2": rating, "f3": popularity}
    return load()[3](**values)  # type: ignore[arg-type]


reports = st.builds(make_report, st.sampled_from(["MSG", "PRF"]), lengths, ratings, ratings)


def score_alone(given_reports: list[Report]) -> list[float]:
    _, session, encoder, _ = load()
    return [session.score(encoder.encode_reports([report])).item() for report in given_reports]


def encode(given_reports: list[Report]) -> Matrix:
    return load()[2].encode_reports(given_reports)


@given(st.lists(reports, min_size=1, max_size=40), st.integers(1, 200))
def test_a_score_does_not_depend_on_batch_size(some: list[Report], times: int) -> None:
    scores = load()[1].score(encode(some * times))
    assert scores.tolist() == score_alone(some) * times


@given(st.lists(reports, min_size=1, max_size=40), st.data())
def test_a_score_does_not_depend_on_order(some: list[Report], data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(some))))
    session = load()[1]
    assert np.array_equal(session.score(encode([some[i] for i in order])), session.score(encode(some))[order])


# Requests as they come: after so many turns of the loop, so many reports, and whether its client hangs up.
arrivals = st.lists(
    st.tuples(
        st.integers(0, 3), st.integers(0, 6) | st.sampled_from([60, 127, 128, 129, 500]), st.booleans()
    ),
    min_size=1,
    max_size=25,
)


@given(arrivals)
def test_a_score_does_not_depend_on_concurrent_requests(schedule: list[tuple[int, int, bool]]) -> None:
    package, session, encoder, _ = load()
    schema = package.manifest.schema
    number = count()
    requests = [
        [make_report("MSG", float(next(number) * 37 % 5_000), None, 2.5) for _ in range(size)]
        for _, size, _ in schedule
    ]

    async def send(scorer: CoalescingScorer, turns: int, request: list[Report]) -> list[float]:
        for _ in range(turns):
            await asyncio.sleep(0)
        return await scorer.score(request)

    async def serve() -> list[list[float] | BaseException]:
        with ThreadPoolExecutor(1) as executor:
            scorer = CoalescingScorer(
                SessionScorer(package.identity, schema, session, base_rate=0.1), executor
            )
            tasks = [
                asyncio.create_task(send(scorer, turns, request))
                for (turns, _, _), request in zip(schedule, requests, strict=True)
            ]
            await asyncio.sleep(0)
            for task, (_, _, hangs_up) in zip(tasks, schedule, strict=True):
                if hangs_up:
                    task.cancel()
            return await asyncio.gather(*tasks, return_exceptions=True)

    for answered, request, (_, _, hangs_up) in zip(asyncio.run(serve()), requests, schedule, strict=True):
        if hangs_up:
            assert isinstance(answered, asyncio.CancelledError)
        else:
            assert answered == session.score(encoder.encode_reports(request)).tolist()
