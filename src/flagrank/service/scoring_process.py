"""Scoring one task in a process of its own, so that the worker lives on where the scoring kills."""

import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from flagrank.scoring.drift import DriftWatch
from flagrank.service.champion import load_published
from flagrank.service.checked_packages import CheckedPackages
from flagrank.service.child_process import Order
from flagrank.service.store import opened_store
from flagrank.settings import read_default_policy
from flagrank.storage.model_registry import StoredModelRegistry
from flagrank.storage.policies import StoredPolicies
from flagrank.telemetry import Metrics, get_logger
from flagrank.triage.errors import NoModel, StoreUnavailable
from flagrank.triage.lineup import Lineup
from flagrank.triage.task import ClaimedTask
from flagrank.worker import BatchScoring, Outcome

LONGEST_SECONDS = 120.0  # a process that takes longer is as good as dead
_BEGINS = b"\n"  # before the outcome, whose JSON it does not change

log = get_logger("worker")


def score_apart(order: Order, task: ClaimedTask) -> Outcome | None:
    """What a child makes of the task; None where it died of it. `order` is a worker's. Blocks for a second.

    Raises `StoreUnavailable` where the child did not get as far as to score.
    """
    order = msgspec.structs.replace(order, role="scorer", task=task)
    return ask_child([sys.executable, "-P", "-m", "flagrank.service.child_process"], order)


def ask_child(
    command: Sequence[str], asked: msgspec.Struct, longest_seconds: float = LONGEST_SECONDS
) -> Outcome | None:
    """The same of any program that reads this line and calls `answer`."""
    given = msgspec.json.encode(asked) + b"\n"
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:  # noqa: S603 - our own module
        patience = threading.Timer(longest_seconds, child.kill)
        patience.start()
        answer = b""
        if child.stdin is not None and child.stdout is not None:
            with suppress(BrokenPipeError):  # it ended before it was asked
                child.stdin.write(given)
                child.stdin.flush()
                answer = child.stdout.read()  # our end of its input stays open: with it the child would end
        patience.cancel()
    if not answer:
        raise StoreUnavailable("A process that should score one task alone could not begin; it has said why.")
    try:
        return msgspec.json.decode(answer, type=Outcome)
    except msgspec.DecodeError:
        return None


def answer(batch: BatchScoring, task: ClaimedTask) -> None:
    """In the child: score the task and tell the outcome; its end is the parent's business alone.

    Where memory ends, the system should end this process and not the worker.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    sys.stdout.buffer.write(_BEGINS)
    sys.stdout.buffer.flush()
    outcome = batch.run([msgspec.structs.replace(task, is_suspect=False)])
    sys.stdout.buffer.write(msgspec.json.encode(outcome))
    sys.stdout.buffer.flush()


def run_scorer_child(order: Order) -> None:
    """Obey the order of `score_apart`, with the champion: no challenger can fail a task. Blocks."""
    if order.task is None:
        return
    with opened_store(order.settings) as database:
        registry = StoredModelRegistry(database)
        champion = registry.read_active().champion
        if champion is None:
            raise NoModel("No model is promoted: nothing can be scored.")
        scorer = load_published(registry, champion, CheckedPackages(Path(order.folder)), DriftWatch())
        policy, unread = StoredPolicies(database, read_default_policy()).read_active(), Metrics().models
    answer(BatchScoring(Lineup(scorer), policy, order.settings.max_attempts, unread), order.task)
