"""What the processes of these tests do; real ones, forked from a server that has imported everything.

A process dies by SIGKILL at a step that is counted: before and after each statement, before each commit, and
whenever a port's method begins or returns. Nothing of ours is patched: SQLAlchemy tells of its statements.
"""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from multiprocessing.connection import Connection
from typing import TypeVar, TypeVarTuple, Unpack

import msgspec
from sqlalchemy import Engine, event

from flagrank.scoring.batch_scorer import SessionScorer
from flagrank.scoring.package import read_package
from flagrank.scoring.verification import open_session
from flagrank.service.scoring_process import answer, ask_child
from flagrank.settings import DEMO_MODEL, load_default_policy
from flagrank.storage.engine import open_database
from flagrank.storage.model_registry import StoredModelRegistry
from flagrank.storage.task_claims import StoredTaskClaims
from flagrank.storage.task_intake import StoredTaskIntake
from flagrank.storage.task_retention import StoredTaskRetention
from flagrank.storage.wake_ups import choose_wake_ups
from flagrank.telemetry import Metrics
from flagrank.triage.errors import StoreUnavailable
from flagrank.triage.feature_schema import FeatureSchema
from flagrank.triage.identifiers import IdentifierSource
from flagrank.triage.lineup import Lineup
from flagrank.triage.ports import BatchScorer, ModelIdentity
from flagrank.triage.report import Report
from flagrank.triage.task import (
    ClaimedTask,
    ClaimLimit,
    Completion,
    Failure,
    Lease,
    Receipt,
    Submission,
)
from flagrank.worker import BatchScoring, Outcome, Worker, WorkRules

DEFAULT_POLICY = load_default_policy()

_Arguments = TypeVarTuple("_Arguments")
_Answer = TypeVar("_Answer")

POISON = "poison"
TARGETS = ("first", "second", None)  # few, so that workers meet on one case
Process = multiprocessing.process.BaseProcess


class Death(msgspec.Struct, frozen=True):
    """At which counted step to die; 0: at none."""

    step: int = 0


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """How a worker of these tests works."""

    lease_seconds: float = 1.0
    max_attempts: int = 5
    scoring_seconds: float = 0.0
    stuck_seconds: float = 600.0
    group: ClaimLimit = ClaimLimit(tasks=1_000, reports=10_000)
    model: ModelIdentity = ModelIdentity("demo", "1")
    dies_at: Death = Death()
    has_children: bool = True  # that score suspects; else it does so itself, which takes no second


class Steps:
    """Counts steps once armed, and ends this process at one of them."""

    def __init__(self, death: Death) -> None:
        self._fatal = death.step
        self._numbers = count(1)
        self._is_armed = False
        for name in ("before_cursor_execute", "after_cursor_execute", "commit"):
            event.listen(Engine, name, self.take)

    def arm(self) -> None:
        self._is_armed = True

    def take(self, *_: object) -> None:
        if self._is_armed and next(self._numbers) == self._fatal:
            os.kill(os.getpid(), signal.SIGKILL)


class DyingClaims:
    """The port `TaskClaims`, whose calls are steps."""

    def __init__(self, claims: StoredTaskClaims, steps: Steps) -> None:
        self._claims = claims
        self._steps = steps

    def claim(self, limit: ClaimLimit, lease_seconds: float) -> list[ClaimedTask]:
        self._steps.arm()
        return self._count(self._claims.claim, limit, lease_seconds)

    def seconds_until_due(self) -> float | None:
        return self._claims.seconds_until_due()

    def extend(self, leases: Sequence[Lease], lease_seconds: float) -> set[str]:
        return self._count(self._claims.extend, leases, lease_seconds)

    def complete(self, completions: Sequence[Completion]) -> set[str]:
        return self._count(self._claims.complete, completions)

    def fail(self, failures: Sequence[Failure]) -> set[str]:
        return self._count(self._claims.fail, failures)

    def release(self, leases: Sequence[Lease]) -> set[str]:
        return self._count(self._claims.release, leases)

    def _count(self, call: Callable[[Unpack[_Arguments]], _Answer], *arguments: *_Arguments) -> _Answer:
        self._steps.take()
        answer = call(*arguments)
        self._steps.take()
        return answer


class DemoScorer:
    """The bundled model; slow where asked, and it kills its process at a report named poison."""

    def __init__(self, work: Work) -> None:
        package = read_package(DEMO_MODEL)
        self._scorer = SessionScorer(
            work.model,
            package.manifest.schema,
            open_session(package),
            base_rate=package.manifest.training.base_rate,
        )
        self._seconds = work.scoring_seconds

    @property
    def model(self) -> ModelIdentity:
        return self._scorer.model

    @property
    def schema(self) -> FeatureSchema:
        return self._scorer.schema

    @property
    def base_rate(self) -> float:
        return self._scorer.base_rate

    def score(self, reports: list[Report]) -> list[float]:
        if any(report.report_id == POISON for report in reports):
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(self._seconds)
        return self._scorer.score(reports)


class Suspicion(msgspec.Struct, frozen=True):
    """What a child is asked: to score this task as its worker would."""

    rules: Work
    task: ClaimedTask


def score_apart(rules: Work, task: ClaimedTask) -> Outcome | None:
    """Ask a child; this module is its program."""
    if not rules.has_children:
        return score_here(rules, task)
    return ask_child([sys.executable, __file__], Suspicion(rules, task))


def score_here(rules: Work, task: ClaimedTask) -> Outcome:
    return make_batch(rules).run([task])


def make_batch(rules: Work) -> BatchScoring:
    lineup = Lineup[BatchScorer](DemoScorer(rules))
    return BatchScoring(lineup, DEFAULT_POLICY, rules.max_attempts, Metrics().models)


def score_suspect() -> None:
    """Be that child."""
    asked = msgspec.json.decode(sys.stdin.buffer.readline(), type=Suspicion)
    answer(make_batch(asked.rules), asked.task)


def work(url: str, rules: Work) -> None:
    """A worker until SIGTERM, or its death."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    database = open_database(url)
    lineup = Lineup[BatchScorer](DemoScorer(rules))
    with choose_wake_ups(database) as wake_ups:
        worker = Worker(
            DyingClaims(StoredTaskClaims(database, load_default_policy), Steps(rules.dies_at)),
            StoredTaskRetention(database),
            wake_ups,
            lambda: lineup,
            partial(score_apart, rules),
            find_policy=lambda: DEFAULT_POLICY,
            metrics=Metrics().tasks,
            model_metrics=Metrics().models,
            rules=WorkRules(
                lease_seconds=rules.lease_seconds,
                stuck_seconds=rules.stuck_seconds,
                max_attempts=rules.max_attempts,
                group=rules.group,
            ),
        )
        thread = threading.Thread(target=worker.run)
        thread.start()
        while not stop.is_set():
            thread.join(0.05)
        worker.stop()
        thread.join()


def submit(url: str, answers: Connection, death: Death, groups: int) -> None:
    """Submit so many groups of three tasks; what is acknowledged goes to whoever listens."""
    intake = StoredTaskIntake(open_database(url))
    steps = Steps(death)
    steps.arm()
    for submissions in (make_submissions(3) for _ in range(groups)):
        try:
            receipts = intake.submit(submissions)
        except StoreUnavailable:
            time.sleep(0.05)
            continue
        steps.take()
        answers.send([one.task.task_id for one in receipts if isinstance(one, Receipt)])
        steps.take()


def change_models(url: str, death: Death, change: Callable[[StoredModelRegistry], object]) -> None:
    """Make one change of the registry, or die on the way."""
    registry = StoredModelRegistry(open_database(url))
    steps = Steps(death)
    steps.arm()
    change(registry)
    steps.take()


_identifiers = IdentifierSource()


def make_submissions(n_tasks: int, *, poison: bool = False) -> list[Submission]:
    """Tasks of one report, the first of them poison where asked."""
    made = []
    for number, task_id in enumerate(_identifiers.make(n_tasks)):
        target = TARGETS[number % len(TARGETS)]
        report = {
            "report_id": POISON if poison and number == 0 else task_id,
            "abuse_type": "MSG",
            "report_text_len": number,
            "profile_rating": None,
            "popularity": 1.5,
            "reporter_id": f"u{number % 2}",
        } | ({} if target is None else {"reported_id": target})
        made.append(Submission(task_id=task_id, reports=msgspec.json.encode([report]), n_reports=1))
    return made


_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([__name__])


def start(target: Callable[..., None], *arguments: object) -> Process:
    """A new process that runs one of the roles above."""
    process = _context.Process(target=target, args=arguments, daemon=True)
    process.start()
    return process


def start_submitting(url: str, groups: int = 1, death: Death | None = None) -> tuple[Process, Connection]:
    """A process that submits, and where its acknowledgements arrive; the latter ends with the former."""
    ours, theirs = _context.Pipe(duplex=False)
    process = start(submit, url, theirs, death or Death(), groups)
    theirs.close()
    return process, ours


def read_acknowledged(answers: Connection) -> list[str]:
    """All that has arrived so far."""
    acknowledged: list[str] = []
    try:
        while answers.poll():
            acknowledged += answers.recv()
    except EOFError:
        pass
    return acknowledged


if __name__ == "__main__":
    score_suspect()
