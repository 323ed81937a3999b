"""`GET /case/<id>`, decision and reopening: one case with all that is known of it, and what becomes of it."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import TypeVar

import msgspec
from starlette.types import Receive, Scope

from flagrank.api.explaining import Explaining
from flagrank.api.query import read_query
from flagrank.api.reply import Reply, encode_json
from flagrank.api.request_body import unless_gone
from flagrank.api.review_wishes import DecisionWish, ReopenWish, WishReader
from flagrank.api.serving import FindServing, Serving
from flagrank.api.shown_cases import show_case, view_case
from flagrank.telemetry import ReviewMetrics
from flagrank.triage.audit import name_key
from flagrank.triage.errors import FlagrankError
from flagrank.triage.explanation import Explanation
from flagrank.triage.policy import Policy
from flagrank.triage.ports import ModelIdentity
from flagrank.triage.report import Report
from flagrank.triage.review import CaseDetail, Reversal, Ruling, StoredReport, make_unknown_case
from flagrank.triage.review_ports import Deciding, QueueReading

MOST_EXPLAINED_REPORTS = 5  # of a case: what a moderator reads

_Answer = TypeVar("_Answer")


class CaseRoutes:
    """What is answered about one case; the store is asked in `executor`."""

    def __init__(
        self,
        reading: QueueReading,
        deciding: Deciding,
        find_policy: Callable[[], Policy],
        executor: Executor,
        reader: WishReader,
        *,
        explainer: "CaseExplainer",
        metrics: ReviewMetrics,
    ) -> None:
        self._reading = reading
        self._deciding = deciding
        self._find_policy = find_policy
        self._executor = executor
        self._reader = reader
        self._explainer = explainer
        self._metrics = metrics

    async def show(self, scope: Scope, receive: Receive) -> Reply:
        """`GET /case/<id>`."""
        read_query(scope, ())
        detail = await self._ask(partial(self._reading.read_case, _read_id(scope)))
        if detail is None:
            raise make_unknown_case()
        explanations, model = await unless_gone(self._explainer.explain(detail.reports), receive)
        return Reply(await self._ask(partial(_compose, detail, explanations, model)))

    async def decide(self, scope: Scope, receive: Receive) -> Reply:
        """`POST /case/<id>/decision`."""
        wish = await self._reader.read(scope, receive, DecisionWish)
        ruling = Ruling(
            moderator=wish.moderator,
            actor=_name_actor(scope),
            verdict=wish.decision,
            reason=wish.reason or None,
            note=wish.note or None,
        )
        decide = partial(self._deciding.decide, _read_id(scope), ruling, self._find_policy())
        case = await self._ask(decide)
        self._metrics.decisions.add((wish.decision.value,))
        return Reply(encode_json(show_case(case)))

    async def reopen(self, scope: Scope, receive: Receive) -> Reply:
        """`POST /case/<id>/reopen`."""
        wish = await self._reader.read(scope, receive, ReopenWish)
        reversal = Reversal(moderator=wish.moderator, actor=_name_actor(scope), reason=wish.reason)
        reopen = partial(self._deciding.reopen, _read_id(scope), reversal, self._find_policy())
        return Reply(encode_json(show_case(await self._ask(reopen))))

    async def _ask(self, ask: Callable[[], _Answer]) -> _Answer:
        return await asyncio.get_running_loop().run_in_executor(self._executor, ask)


class CaseExplainer:
    """Explains the strongest reports of a case by the champion, whichever model scored them then."""

    def __init__(self, find_serving: FindServing, explaining: Explaining) -> None:
        self._find_serving = find_serving
        self._explaining = explaining

    async def explain(
        self, reports: Sequence[StoredReport]
    ) -> tuple[list[Explanation | None], ModelIdentity | None]:
        """One for each report, None where there is none, and whose they are.

        A case is shown whether or not it can be explained: no model, or one of too many features, reports of
        another schema, and too many who ask, all leave it without.
        """
        explanations: list[Explanation | None] = [None] * len(reports)
        serving = self._find_serving()
        if serving is None:
            return explanations, None
        read = [_read_report(serving, report) for report in reports[:MOST_EXPLAINED_REPORTS]]
        known = [report for report in read if report is not None]
        if not known:
            return explanations, None
        try:
            found = iter(await self._explain(serving, known))
        except FlagrankError:
            return explanations, None
        for index, report in enumerate(read):
            if report is not None:
                explanations[index] = next(found)
        return explanations, serving.scorer.model

    async def _explain(self, serving: Serving, reports: list[Report]) -> list[Explanation]:
        serving.explainer.check_explainable(len(reports))
        with self._explaining.take_turns():
            scores = await serving.scorer.score(reports)
            return await self._explaining.explain(
                (serving.explainer, report, score) for report, score in zip(reports, scores, strict=True)
            )


def _read_report(serving: Serving, report: StoredReport) -> Report | None:
    """The features of a stored report; None where the schema of today does not read them."""
    features = {name: value for name, value in report.fields.items() if name in serving.schema.names}
    try:
        (read,) = serving.decoder.decode(msgspec.json.encode([features]), report.received_at)
    except FlagrankError:
        return None
    return read


def _compose(
    detail: CaseDetail, explanations: Sequence[Explanation | None], model: ModelIdentity | None
) -> bytes:
    return encode_json(view_case(detail, explanations, model))


def _read_id(scope: Scope) -> str:
    path: str = scope["path"]
    return path.split("/")[2]


def _name_actor(scope: Scope) -> str:
    return name_key(scope["state"].get("api_key"))
