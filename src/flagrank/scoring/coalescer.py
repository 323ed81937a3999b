"""The serving scorer: all requests of one event-loop tick share one model call, and none waits for it."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor
from typing import TypeAlias

from flagrank.triage.errors import PackageRefused
from flagrank.triage.ports import BatchScorer
from flagrank.triage.report import Report

LOOP_ROWS = 128  # more rows than these would hold the event loop for over a few hundred microseconds

_Request: TypeAlias = tuple[list[Report], asyncio.Future[list[float]]]


class CoalescingScorer:
    """Scores reports with one model on the event loop, and large batches in `executor`.

    Sharing a call is exact: with one thread a row's score is the same to the bit in any batch.
    """

    def __init__(self, scorer: BatchScorer, executor: Executor) -> None:
        self.model = scorer.model
        self.base_rate = scorer.base_rate
        self._score_now = scorer.score
        self._executor = executor
        self._waiting: list[_Request] = []

    async def score(self, reports: Sequence[Report]) -> list[float]:
        """P(actionable) of each report, in the order given.

        Raises `PackageRefused` where the model fails on these reports, whoever else is being scored.
        """
        loop = asyncio.get_running_loop()
        if len(reports) > LOOP_ROWS:
            return await loop.run_in_executor(self._executor, self._score_now, list(reports))
        if not self._waiting:
            loop.call_soon(self._flush)
        future: asyncio.Future[list[float]] = loop.create_future()
        self._waiting.append((list(reports), future))
        return await future

    def _flush(self) -> None:
        """Score what waits, up to `LOOP_ROWS` rows; the rest follows when the loop has turned once."""
        rows = taken = 0
        while taken < len(self._waiting) and (rows := rows + len(self._waiting[taken][0])) <= LOOP_ROWS:
            taken += 1
        shared, self._waiting = self._waiting[:taken], self._waiting[taken:]
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._flush)
        self._answer(shared)

    def _answer(self, shared: list[_Request]) -> None:
        try:
            scores = self._score_now([report for reports, _ in shared for report in reports])
        except Exception as error:  # noqa: BLE001 - whatever it is, each request has to be answered
            self._answer_failed(shared, error)
            return
        start = 0
        for reports, future in shared:
            if not future.done():  # a client that hung up has cancelled its own
                future.set_result(scores[start : start + len(reports)])
            start += len(reports)

    def _answer_failed(self, shared: list[_Request], error: Exception) -> None:
        """Where the model fails on the rows of one request, only that one fails."""
        if isinstance(error, PackageRefused) and len(shared) > 1:
            for request in shared:
                self._answer([request])
            return
        for _, future in shared:
            if not future.done():
                future.set_exception(error)
