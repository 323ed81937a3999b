"""The loop of a worker: wait until something is due, claim, score, write, and again."""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TypeVar

import msgspec

from flagrank.telemetry import ModelMetrics, TaskMetrics, get_logger
from flagrank.triage.errors import FlagrankError, StoreRefused, StoreUnavailable
from flagrank.triage.lineup import Lineup
from flagrank.triage.policy import Policy
from flagrank.triage.ports import BatchScorer
from flagrank.triage.task import ClaimedTask, ClaimLimit, Completion, Failure, TaskError, TaskStatus
from flagrank.triage.task_ports import TaskClaims, TaskRetention, WakeUps
from flagrank.worker.batch import MOST_ATTEMPTS, BatchScoring, Outcome
from flagrank.worker.broom import Broom
from flagrank.worker.heartbeat import Heartbeat

POLL_SECONDS = 1.0
INSIST_SECONDS = 0.2
BUSY_SECONDS = 0.02  # what is due is locked by someone whose transaction is about to end

_Entry = TypeVar("_Entry", Completion, Failure)

log = get_logger("worker")


class WorkRules(msgspec.Struct, frozen=True, kw_only=True):
    """How a worker works."""

    lease_seconds: float = 10.0
    stuck_seconds: float = 600.0  # longer than any claim takes that comes to an end
    max_attempts: int = 5
    kept_seconds: float = 30 * 86_400.0  # of finished tasks
    group: ClaimLimit = ClaimLimit(tasks=1_000, reports=10_000)


class Worker:
    """One worker; any number may work on one database."""

    def __init__(
        self,
        claims: TaskClaims,
        retention: TaskRetention,
        wake_ups: WakeUps,
        find_lineup: Callable[[], Lineup[BatchScorer] | None],
        score_apart: Callable[[ClaimedTask], Outcome | None],
        *,
        find_policy: Callable[[], Policy],
        metrics: TaskMetrics,
        model_metrics: ModelMetrics,
        rules: WorkRules | None = None,
    ) -> None:
        """`find_lineup` and `find_policy` give them as they are now; while there are no models, tasks wait.

        `score_apart` scores a suspect in a process of its own, and gives None where that died of it.
        """
        self._claims = claims
        self._wake_ups = wake_ups
        self._find_lineup = find_lineup
        self._score_apart = score_apart
        self._find_policy = find_policy
        self._metrics = metrics
        self._model_metrics = model_metrics
        self._rules = rules or WorkRules()
        self._heartbeat = Heartbeat(claims, self._rules.lease_seconds, self._rules.stuck_seconds)
        self._broom = Broom(retention, self._rules.kept_seconds)
        self._stopping = threading.Event()
        self._scoring: BatchScoring | None = None

    def run(self) -> None:
        """Work until `stop` is called; what is held then is finished, or given back. Blocks; once only."""
        with ExitStack() as stack:
            stack.enter_context(self._broom)
            stack.enter_context(self._heartbeat)
            stack.callback(self._metrics.set_worker_mode, is_listening=None)
            while not self._stopping.is_set():
                self._metrics.set_worker_mode(is_listening=self._wake_ups.is_listening)
                self._take_turn()

    def stop(self) -> None:
        """End `run` as soon as nothing is held; from another thread."""
        self._stopping.set()
        self._wake_ups.wake()

    def _take_turn(self) -> None:
        """Work on one claim, or wait for something to claim."""
        try:
            scoring = self._find_scoring()
            claimed = scoring and self._claims.claim(self._rules.group, self._rules.lease_seconds)
            if scoring and claimed:
                self._work_on(claimed, scoring)
                return
            due_in = self._claims.seconds_until_due() if scoring else POLL_SECONDS
        except FlagrankError as error:
            log.warning("worker_waits", code=error.code, sentence=error.detail)
            self._stopping.wait(POLL_SECONDS)
            return
        self._wake_ups.wait(POLL_SECONDS if due_in is None else min(max(due_in, BUSY_SECONDS), POLL_SECONDS))

    def _find_scoring(self) -> BatchScoring | None:
        lineup = self._find_lineup()
        if lineup is None:
            return None
        scoring, policy = self._scoring, self._find_policy()
        if scoring is None or scoring.lineup is not lineup or scoring.policy is not policy:
            scoring = BatchScoring(lineup, policy, self._rules.max_attempts, self._model_metrics)
        self._scoring = scoring
        return scoring

    def _work_on(self, claimed: Sequence[ClaimedTask], scoring: BatchScoring) -> None:
        leases = [task.lease for task in claimed]
        if self._stopping.is_set():
            self._claims.release(leases)
            return
        self._metrics.claims.observe(len(claimed))
        self._metrics.model_calls.observe(sum(task.n_reports for task in claimed))
        with self._heartbeat.hold(leases):
            outcome = self._score(claimed, scoring)
            n_written = self._complete(outcome.completions) + self._fail(outcome.failures)
        if n_lost := len(claimed) - n_written:
            self._metrics.lease_losses.add(amount=n_lost)
            log.warning("leases_lost", n_tasks=n_lost)

    def _score(self, claimed: Sequence[ClaimedTask], scoring: BatchScoring) -> Outcome:
        """Score a claim here, or a suspect, which is alone in its claim, where it can kill no worker.

        So the death of a worker counts against no task: an operator may have killed it.
        """
        first = claimed[0]
        if not first.is_suspect:
            return scoring.run(claimed)
        outcome = self._score_apart(first) if first.attempts <= MOST_ATTEMPTS else None
        return outcome or scoring.note_death(first)

    def _complete(self, completions: Sequence[Completion]) -> int:
        """Write results; of how many tasks. One that the database refuses sinks no other."""
        try:
            written = self._insist(self._claims.complete, completions)
        except StoreRefused as error:
            if len(completions) == 1:
                refusal = TaskError(error.code, "The result can't be stored", error.detail)
                return self._fail([Failure(completions[0].lease, refusal, None)])
            return sum(self._complete([completion]) for completion in completions)
        self._metrics.finished.add((TaskStatus.SUCCEEDED,), len(written))
        return len(written)

    def _fail(self, failures: Sequence[Failure]) -> int:
        """Write failures; of how many tasks."""
        written = self._insist(self._claims.fail, failures)
        for failure in failures:
            if failure.lease.task_id in written:
                self._metrics.failed_attempts.add()
                if failure.retry_seconds is None:
                    self._metrics.finished.add((TaskStatus.FAILED,))
                log.warning(
                    "attempt_failed",
                    task_id=failure.lease.task_id,
                    code=failure.error.code,
                    retry_seconds=failure.retry_seconds,
                )
        return len(written)

    def _insist(self, write: Callable[[Sequence[_Entry]], set[str]], entries: Sequence[_Entry]) -> set[str]:
        """Write, again while the database does not answer, until the leases are over."""
        give_up_at = time.monotonic() + self._rules.lease_seconds
        while entries:
            try:
                return write(entries)
            except StoreUnavailable:
                if time.monotonic() > give_up_at:
                    raise
                time.sleep(INSIST_SECONDS)
        return set()
