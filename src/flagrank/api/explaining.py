"""Explaining scores: requests take turns, report by report, in one thread; few of them at a time."""

import asyncio
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager

from flagrank.api.problems import make_explaining_problem
from flagrank.triage.explanation import Explanation
from flagrank.triage.ports import Explainer
from flagrank.triage.report import Report

MOST_EXPLAINED = 8  # requests at a time; each may take some seconds of the one thread they share


class Explaining:
    """The explanations of one process, made in `executor`; for the event loop."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._n_explained = 0

    @contextmanager
    def take_turns(self) -> Iterator[None]:
        """Be one of those who are explained to; raises `HttpProblem` where there are enough."""
        if self._n_explained == MOST_EXPLAINED:
            raise make_explaining_problem(MOST_EXPLAINED)
        self._n_explained += 1
        try:
            yield
        finally:
            self._n_explained -= 1

    async def explain(self, scored: Iterable[tuple[Explainer, Report, float]]) -> list[Explanation]:
        """Each report's score, explained by the model that made it."""
        run = asyncio.get_running_loop().run_in_executor
        return [
            await run(self._executor, explainer.explain, report, score) for explainer, report, score in scored
        ]
