"""A claimed batch: one model call for all of its tasks, and for each alone where that fails."""

from collections.abc import Sequence

import msgspec

from flagrank.triage.errors import FlagrankError, InvalidReports, shorten
from flagrank.triage.policy import Policy
from flagrank.triage.ports import BatchScorer
from flagrank.triage.priority import prioritise
from flagrank.triage.report import Report
from flagrank.triage.stored_reports import StoredReportDecoder
from flagrank.triage.task import ClaimedTask, Completion, Failure, TaskError, is_exhausted, retry_delay

MOST_ATTEMPTS = 100  # whatever ended them; a suspect that was begun so often is not begun again

_Decoded = tuple[ClaimedTask, list[Report]]


class Outcome(msgspec.Struct, frozen=True):
    """What is to be written for a batch: one entry for each of its tasks."""

    completions: Sequence[Completion]
    failures: Sequence[Failure]


class BatchScoring:
    """Scores batches with one model under one policy."""

    def __init__(self, scorer: BatchScorer, policy: Policy, max_attempts: int) -> None:
        self.scorer = scorer
        self._policy = policy
        self._max_attempts = max_attempts
        self._decoder = StoredReportDecoder(scorer.schema)

    def run(self, claimed: Sequence[ClaimedTask]) -> Outcome:
        """Score all tasks of a claim. Blocks; raises nothing that one of them can cause."""
        failures = []
        decoded = []
        for task in claimed:
            try:
                decoded.append((task, self._decoder.decode(task.reports)))
            except InvalidReports as error:  # another attempt would find the same
                failures.append(Failure(task.lease, _describe_mismatch(error), None))
        completions, failed = self._score(decoded)
        return Outcome(completions, [*failures, *failed])

    def note_death(self, task: ClaimedTask) -> Outcome:
        """What is to be written where the task's scoring ended the process that did nothing else."""
        reason = "The process that scored this task, and nothing else, ended or did not come to an end."
        return Outcome(
            [], [self._fail(task, TaskError("worker_died", "The worker died", reason), is_death=True)]
        )

    def _score(self, tasks: Sequence[_Decoded]) -> tuple[list[Completion], list[Failure]]:
        if not tasks:
            return [], []
        try:
            return self._complete(tasks), []
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the failure of one of these tasks
            if len(tasks) == 1:
                failed = TaskError("scoring_failed", "Scoring failed", _tell(error))
                return [], [self._fail(tasks[0][0], failed)]
        alone = [self._score([task]) for task in tasks]
        return [one for done, _ in alone for one in done], [one for _, failed in alone for one in failed]

    def _complete(self, tasks: Sequence[_Decoded]) -> list[Completion]:
        every = [report for _, reports in tasks for report in reports]
        scores = self.scorer.score(every)
        priorities = prioritise(every, scores, self._policy)
        completions = []
        begin = 0
        for task, reports in tasks:
            end = begin + len(reports)
            completions.append(
                Completion(task.lease, self.scorer.model, scores[begin:end], priorities[begin:end])
            )
            begin = end
        return completions

    def _fail(self, task: ClaimedTask, reason: TaskError, *, is_death: bool = False) -> Failure:
        failed_attempts = task.failed_attempts + 1
        is_last = is_exhausted(failed_attempts, self._max_attempts) or task.attempts >= MOST_ATTEMPTS
        advice = "Look at the model and its reports, then retry it." if is_last else "It will be tried again."
        detail = f"Attempt {task.attempts} failed. {reason.detail} {advice}"
        error = TaskError(reason.code, reason.title, detail)
        return Failure(task.lease, error, None if is_last else retry_delay(failed_attempts), is_death)


def _describe_mismatch(error: InvalidReports) -> TaskError:
    return TaskError("schema_changed", "The reports do not fit the model", error.detail)


def _tell(error: Exception) -> str:
    if isinstance(error, FlagrankError):
        return error.detail
    return f"{type(error).__name__}: {shorten(error)}."
