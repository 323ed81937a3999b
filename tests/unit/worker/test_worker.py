import threading
from collections.abc import Sequence

import msgspec

from flagrank.settings import load_default_policy
from flagrank.telemetry import Metrics
from flagrank.triage.errors import FlagrankError, StoreRefused, StoreUnavailable
from flagrank.triage.lineup import Lineup
from flagrank.triage.ports import BatchScorer, ModelIdentity
from flagrank.triage.task import ClaimedTask, ClaimLimit, Completion, Failure, Lease
from flagrank.worker import Outcome, Worker, WorkRules
from flagrank.worker.batch import MOST_ATTEMPTS
from tests.unit.worker.test_batch import LengthScorer, claimed

DEFAULT_POLICY = load_default_policy()


class Store:
    """The ports of a worker, all in one: hands out one claim, and ends the worker once it waits."""

    is_listening = True

    def __init__(self, tasks: Sequence[ClaimedTask]) -> None:
        self._tasks = list(tasks)
        self.errors: list[FlagrankError] = []  # what the next calls of `complete` raise
        self.refused: set[str] = set()
        self.completed: list[str] = []
        self.failed: list[Failure] = []
        self.released: list[str] = []
        self.apart: list[str] = []  # the suspects
        self.outcome: Outcome | None = None  # of scoring them
        self.swept = threading.Event()
        self.worker = Worker(
            self,
            self,
            self,
            lambda: Lineup[BatchScorer](LengthScorer(ZeroDivisionError())),
            self.score_apart,
            find_policy=lambda: DEFAULT_POLICY,
            metrics=Metrics().tasks,
            model_metrics=Metrics().models,
            rules=WorkRules(lease_seconds=1, max_attempts=3),
        )

    def score_apart(self, task: ClaimedTask) -> Outcome | None:
        self.apart.append(task.lease.task_id)
        return self.outcome

    def claim(self, limit: ClaimLimit, lease_seconds: float) -> list[ClaimedTask]:
        assert (limit, lease_seconds) == (WorkRules().group, 1)
        tasks, self._tasks = self._tasks, []
        return tasks

    def seconds_until_due(self) -> float | None:
        return None

    def extend(self, leases: Sequence[Lease], _lease_seconds: float) -> set[str]:
        return {lease.task_id for lease in leases}

    def complete(self, completions: Sequence[Completion]) -> set[str]:
        if self.errors:
            raise self.errors.pop(0)
        task_ids = {one.lease.task_id for one in completions}
        if task_ids & self.refused:
            raise StoreRefused("The database refuses a value.")
        self.completed += sorted(task_ids)
        return task_ids

    def fail(self, failures: Sequence[Failure]) -> set[str]:
        self.failed += failures
        return {one.lease.task_id for one in failures}

    def release(self, leases: Sequence[Lease]) -> set[str]:
        self.released += [lease.task_id for lease in leases]
        return set(self.released)

    def delete_finished(self, kept_seconds: float, limit: int) -> int:
        assert kept_seconds == 30 * 86_400
        assert limit > 0
        self.swept.set()
        return 0

    def wait(self, seconds: float) -> bool:
        assert seconds <= 1  # a wake-up may get lost
        self.worker.stop()
        return True

    def wake(self) -> None:
        """Nothing waits here."""


def run(store: Store) -> Store:
    store.worker.run()
    return store


def test_a_claim_is_scored_and_written() -> None:
    store = run(Store([claimed("a", 10), claimed("bad", 0), claimed("b", 30)]))
    assert store.completed == ["a", "b"]
    assert [one.lease.task_id for one in store.failed] == ["bad"]
    assert store.released == []


def suspect(**changes: int) -> ClaimedTask:
    return msgspec.structs.replace(claimed("odd", 10), is_suspect=True, **changes)


def test_a_suspect_is_scored_apart_and_what_comes_of_it_is_written() -> None:
    store = Store([suspect()])
    store.outcome = Outcome([Completion(Lease("odd", 1), ModelIdentity("m", "1"), [0.5], [1.0])], [])
    assert run(store).completed == ["odd"]
    assert (store.apart, store.failed) == (["odd"], [])


def test_the_death_of_the_process_that_scored_a_suspect_is_a_failed_attempt_of_it() -> None:
    (failure,) = run(Store([suspect(failed_attempts=1)])).failed
    assert (failure.lease.task_id, failure.error.code, failure.is_death) == ("odd", "worker_died", True)
    assert "will be tried again" in failure.error.detail
    assert failure.retry_seconds is not None


def test_the_last_death_is_final() -> None:
    (failure,) = run(Store([suspect(failed_attempts=2)])).failed
    assert (failure.error.code, failure.retry_seconds) == ("worker_died", None)
    assert "then retry it" in failure.error.detail


def test_a_suspect_that_was_begun_a_hundred_times_is_not_begun_again() -> None:
    store = run(Store([suspect(attempts=MOST_ATTEMPTS + 1)]))
    (failure,) = store.failed
    assert (failure.error.code, failure.retry_seconds, store.apart) == ("worker_died", None, [])


def test_a_result_is_written_again_when_the_database_is_back() -> None:
    store = Store([claimed("a", 10)])
    store.errors = [StoreUnavailable("Away."), StoreUnavailable("Still away.")]
    assert run(store).completed == ["a"]


def test_a_database_that_stays_away_past_the_lease_ends_the_claim_and_not_the_worker() -> None:
    store = Store([claimed("a", 10)])
    store.errors = [StoreUnavailable("Away.")] * 50
    assert run(store).completed == []
    assert store.failed == []


def test_a_result_that_the_database_refuses_sinks_no_other() -> None:
    store = Store([claimed("a", 10), claimed("odd", 20), claimed("b", 30)])
    store.refused = {"odd"}
    assert run(store).completed == ["a", "b"]
    (failure,) = store.failed
    assert (failure.lease.task_id, failure.error.code, failure.retry_seconds) == (
        "odd",
        "store_refused",
        None,
    )


def test_what_is_claimed_while_the_worker_is_told_to_stop_is_given_back() -> None:
    class LateStore(Store):
        def claim(self, limit: ClaimLimit, lease_seconds: float) -> list[ClaimedTask]:
            self.worker.stop()
            return super().claim(limit, lease_seconds)

    store = run(LateStore([claimed("a", 10)]))
    assert (store.released, store.completed) == (["a"], [])


def test_finished_tasks_are_swept_while_the_worker_works() -> None:
    class SlowStore(Store):
        def wait(self, seconds: float) -> bool:
            return self.swept.wait(5) and super().wait(seconds)

    assert run(SlowStore([])).swept.is_set()
