"""`POST /prediction`: the hot path, plain ASGI inside the FastAPI application.

A request passes here, `request_body`, `triage.report_decoding`, `scoring.coalescer` and `triage.priority`;
nothing is stored.
"""

import asyncio
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from datetime import UTC, datetime
from itertools import repeat

import msgspec
from msgspec import UNSET, UnsetType
from starlette.types import Receive, Scope, Send

from flagrank.api.explaining import Explaining
from flagrank.api.problems import (
    TOLD,
    make_internal_problem,
    make_no_model_problem,
    send_problem,
)
from flagrank.api.query import read_explain
from flagrank.api.request_body import BodyReader, ClientGone, unless_gone
from flagrank.api.serving import FindServing, Serving
from flagrank.triage.explanation import Explanation
from flagrank.triage.lineup import ChallengerPart
from flagrank.triage.ports import Explainer, ModelIdentity
from flagrank.triage.priority import prioritise_reports, rank
from flagrank.triage.report import Report

LOOP_BYTES = 128 * 2**10  # decoding more than this would hold the event loop for over a millisecond


class Prediction(msgspec.Struct, frozen=True, gc=False):
    """The answer: each list in the order sent, `ranking` the indices by priority."""

    model: ModelIdentity
    scores: list[float]
    priorities: list[float]
    ranking: list[int]
    policy: str
    challenger: ChallengerPart | UnsetType = UNSET
    explanations: list[Explanation] | UnsetType = UNSET


class PredictionRoute:
    """Decodes, scores and ranks one request's reports; big bodies are decoded and encoded in `executor`."""

    def __init__(
        self,
        find_serving: FindServing,
        reader: BodyReader,
        executor: Executor,
        explaining: Explaining,
    ) -> None:
        self._find_serving = find_serving
        self._reader = reader
        self._executor = executor
        self._explaining = explaining
        self._encode = msgspec.json.Encoder().encode

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        try:
            body = await self._predict(scope, receive)
        except ClientGone:
            return
        except TOLD as error:
            await send_problem(scope, send, error)
            return
        except Exception:
            await send_problem(scope, send, make_internal_problem())
            raise  # into the log
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _predict(self, scope: Scope, receive: Receive) -> bytes:
        serving = self._find_serving()  # what a request began with it ends with
        if serving is None:
            raise make_no_model_problem()
        is_explained = bool(scope["query_string"]) and read_explain(scope)
        body = await self._reader.read(scope, receive)
        received_at = datetime.now(UTC)
        if is_explained:
            work = self._predict_explained(serving, body, received_at)
            return await unless_gone(work, receive)
        if len(body) <= LOOP_BYTES:
            reports = serving.decoder.decode(body, received_at)
            return self._compose(serving, reports, *await _score(serving, reports))
        run = asyncio.get_running_loop().run_in_executor
        reports = await run(self._executor, serving.decoder.decode, body, received_at)
        scores, part = await _score(serving, reports)
        return await run(self._executor, self._compose, serving, reports, scores, part)

    async def _predict_explained(self, serving: Serving, body: bytes, received_at: datetime) -> bytes:
        run = asyncio.get_running_loop().run_in_executor
        reports = await run(self._executor, serving.decoder.decode, body, received_at)
        serving.explainer.check_explainable(len(reports))
        with self._explaining.take_turns():
            scores, part = await _score(serving, reports)
            explainers = _find_explainers(serving, reports, part)
            explanations = await self._explaining.explain(zip(explainers, reports, scores, strict=True))
        return await run(self._executor, self._compose, serving, reports, scores, part, explanations)

    def _compose(
        self,
        serving: Serving,
        reports: list[Report],
        scores: list[float],
        part: ChallengerPart | UnsetType,
        explanations: list[Explanation] | UnsetType = UNSET,
    ) -> bytes:
        policy = serving.policy
        base_rates = _find_base_rates(serving, len(reports), part)
        priorities = prioritise_reports(reports, scores, base_rates, serving.schema, policy)
        model, ranking = serving.scorer.model, rank(priorities)
        return self._encode(Prediction(model, scores, priorities, ranking, policy.label, part, explanations))


async def _score(serving: Serving, reports: list[Report]) -> tuple[list[float], ChallengerPart | UnsetType]:
    if serving.companions is None:
        return await serving.scorer.score(reports), UNSET
    return await serving.companions.score(reports)


def _find_base_rates(serving: Serving, count: int, part: ChallengerPart | UnsetType) -> Iterable[float]:
    if serving.companions is None:
        return repeat(serving.scorer.base_rate, count)
    return serving.companions.find_base_rates(count, part)


def _find_explainers(
    serving: Serving, reports: Sequence[Report], part: ChallengerPart | UnsetType
) -> list[Explainer]:
    if serving.companions is None:
        return [serving.explainer] * len(reports)
    return serving.companions.find_explainers(serving.explainer, len(reports), part)
