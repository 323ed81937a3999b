"""A claimed batch: one call of each model for all of its tasks, and for each task alone where that fails."""

from collections.abc import Mapping, Sequence
from itertools import islice

import msgspec

from flagrank.telemetry import ModelMetrics
from flagrank.triage.arrivals import Scored, read_arrivals
from flagrank.triage.errors import FlagrankError, InvalidReports, shorten
from flagrank.triage.lineup import ChallengerPart, Draw, Lineup, interleave, leave_out
from flagrank.triage.policy import Policy
from flagrank.triage.ports import BatchScorer
from flagrank.triage.priority import prioritise_reports
from flagrank.triage.report import Report
from flagrank.triage.review import Arrival
from flagrank.triage.stored_reports import StoredReportDecoder
from flagrank.triage.task import ClaimedTask, Completion, Failure, TaskError, is_exhausted, retry_delay

MOST_ATTEMPTS = 100  # whatever ended them; a suspect that was begun so often is not begun again


class _Decoded(msgspec.Struct, frozen=True):
    """A task's reports, and which of them the challenger scores: `theirs`, decoded for it."""

    task: ClaimedTask
    reports: list[Report]
    taken: list[int]
    theirs: list[Report]


class Outcome(msgspec.Struct, frozen=True):
    """What is to be written for a batch: one entry for each of its tasks."""

    completions: Sequence[Completion]
    failures: Sequence[Failure]


class BatchScoring:
    """Scores batches with one lineup under one policy."""

    def __init__(
        self, lineup: Lineup[BatchScorer], policy: Policy, max_attempts: int, metrics: ModelMetrics
    ) -> None:
        self.lineup = lineup
        self._champion, self._challenger = lineup.champion, lineup.challenger
        self.policy = policy
        self._max_attempts = max_attempts
        self._metrics = metrics
        self._decoder = StoredReportDecoder(self._champion.schema)
        if self._challenger is not None:
            scorer, schema = self._challenger.scorer, self._champion.schema
            self._draw = Draw(scorer.model, self._challenger.share, schema, schema)
            self._challenger_decoder = StoredReportDecoder(scorer.schema)

    def run(self, claimed: Sequence[ClaimedTask]) -> Outcome:
        """Score all tasks of a claim. Blocks; raises nothing that one of them can cause."""
        failures = []
        decoded = []
        for task in claimed:
            try:
                decoded.append(self._decode(task))
            except InvalidReports as error:  # another attempt would find the same
                failures.append(Failure(task.lease, _describe_mismatch(error), None))
        completions, failed = self._score(decoded, self._challenge(decoded))
        return Outcome(completions, [*failures, *failed])

    def note_death(self, task: ClaimedTask) -> Outcome:
        """What is to be written where the task's scoring ended the process that did nothing else."""
        reason = "The process that scored this task, and nothing else, ended or did not come to an end."
        return Outcome(
            [], [self._fail(task, TaskError("worker_died", "The worker died", reason), is_death=True)]
        )

    def _decode(self, task: ClaimedTask) -> _Decoded:
        """Raises `InvalidReports` where the reports lack what the champion needs."""
        reports = self._decoder.decode(task.reports)
        taken = self._draw.pick(reports) if self._challenger else []
        if taken:
            try:
                theirs = self._challenger_decoder.decode(task.reports)
            except InvalidReports:  # they lack what the challenger needs
                taken = []
        return _Decoded(task, reports, taken, [theirs[index] for index in taken])

    def _challenge(self, tasks: Sequence[_Decoded]) -> dict[str, list[float]]:
        """The challenger's scores by task; one that it fails on is missing: all of it is the champion's."""
        tasks = [one for one in tasks if one.taken]
        if self._challenger is None or not tasks:
            return {}
        try:
            scores = iter(self._challenger.scorer.score([report for one in tasks for report in one.theirs]))
        except Exception:  # noqa: BLE001 - whatever it is, no task suffers from it
            if len(tasks) == 1:
                self._metrics.challenger_failures.add(amount=len(tasks[0].taken))
                return {}
            return {task_id: scores for one in tasks for task_id, scores in self._challenge([one]).items()}
        return {one.task.lease.task_id: list(islice(scores, len(one.taken))) for one in tasks}

    def _score(
        self, tasks: Sequence[_Decoded], challenged: Mapping[str, list[float]]
    ) -> tuple[list[Completion], list[Failure]]:
        if not tasks:
            return [], []
        try:
            return self._complete(tasks, challenged), []
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the failure of one of these tasks
            if len(tasks) == 1:
                failed = TaskError("scoring_failed", "Scoring failed", _tell(error))
                return [], [self._fail(tasks[0].task, failed)]
        alone = [self._score([task], challenged) for task in tasks]
        return [one for done, _ in alone for one in done], [one for _, failed in alone for one in failed]

    def _complete(self, tasks: Sequence[_Decoded], challenged: Mapping[str, list[float]]) -> list[Completion]:
        taken = [one.taken if one.task.lease.task_id in challenged else [] for one in tasks]
        left = [leave_out(gone, one.reports) for one, gone in zip(tasks, taken, strict=True)]
        every = [report for reports in left for report in reports]
        ours = self._champion.score(every) if every else []
        completions = []
        scored = iter(ours)
        for one, gone, reports in zip(tasks, taken, left, strict=True):
            theirs = challenged.get(one.task.lease.task_id, [])
            scores = interleave(gone, theirs, list(islice(scored, len(reports))))
            scorers = self._name_scorers(len(scores), gone)
            base_rates = [scorer.base_rate for scorer in scorers]
            priorities = prioritise_reports(
                one.reports, scores, base_rates, self._champion.schema, self.policy
            )
            completions.append(
                Completion(
                    one.task.lease,
                    self._champion.model,
                    scores,
                    priorities,
                    self._describe_part(gone),
                    _list_arrivals(one.task, scores, scorers) if one.task.enqueue else (),
                )
            )
        self._metrics.challenger_reports.add(amount=sum(map(len, taken)))
        if self.lineup.listen is not None:
            self.lineup.listen(every, ours, self._champion.schema)
        return completions

    def _name_scorers(self, count: int, taken: list[int]) -> list[BatchScorer]:
        """Who scored each of a task's reports."""
        ours = [self._champion] * (count - len(taken))
        theirs = [self._challenger.scorer] * len(taken) if self._challenger else []
        return interleave(taken, theirs, ours)

    def _describe_part(self, taken: list[int]) -> ChallengerPart | None:
        if self._challenger is None or not taken:
            return None
        model = self._challenger.scorer.model
        return ChallengerPart(model.name, model.version, taken)

    def _fail(self, task: ClaimedTask, reason: TaskError, *, is_death: bool = False) -> Failure:
        failed_attempts = task.failed_attempts + 1
        is_last = is_exhausted(failed_attempts, self._max_attempts) or task.attempts >= MOST_ATTEMPTS
        advice = "Look at the model and its reports, then retry it." if is_last else "It will be tried again."
        detail = f"Attempt {task.attempts} failed. {reason.detail} {advice}"
        error = TaskError(reason.code, reason.title, detail)
        return Failure(task.lease, error, None if is_last else retry_delay(failed_attempts), is_death)


def _list_arrivals(
    task: ClaimedTask, scores: Sequence[float], scorers: Sequence[BatchScorer]
) -> list[Arrival]:
    scored = [
        Scored(score, scorer.model, scorer.base_rate) for score, scorer in zip(scores, scorers, strict=True)
    ]
    return read_arrivals(task.reports, task.submitted_at, scored)


def _describe_mismatch(error: InvalidReports) -> TaskError:
    return TaskError("schema_changed", "The reports do not fit the model", error.detail)


def _tell(error: Exception) -> str:
    if isinstance(error, FlagrankError):
        return error.detail
    return f"{type(error).__name__}: {shorten(error)}."
