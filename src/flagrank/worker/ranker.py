"""Ranks open cases anew beside everything else: after another policy, and as decisions tell of reporters."""

import math
import time
from collections.abc import Callable, Iterator

from flagrank.own_thread import OwnThread
from flagrank.telemetry import get_logger
from flagrank.triage.errors import FlagrankError
from flagrank.triage.policy import Policy
from flagrank.triage.review import CaseStatus, QueueCursor
from flagrank.triage.review_ports import CaseRanking, Outcomes, ReporterGroups

PAUSE_SECONDS = 0.05  # in which others get their turn
IDLE_SECONDS = 1.0
LOOK_AGAIN_SECONDS = 600.0  # for cases that another worker has left, or ranked by a policy just replaced
GROUPING_SECONDS = 60.0
GROUPED_CASES = 2_000  # the most urgent, where a brigade could matter
BATCH_CASES = 2_000  # ranked from their sums alone
BATCH_GATHERED = 50  # whose reports are all read
BATCH_DECISIONS = 200

log = get_logger("worker")


class Ranker(OwnThread):
    """Works in small batches from a thread of its own; a context manager. Several may be at work."""

    def __init__(
        self,
        ranking: CaseRanking,
        outcomes: Outcomes,
        groups: ReporterGroups,
        find_policy: Callable[[], Policy],
    ) -> None:
        super().__init__("ranker")
        self._ranking = ranking
        self._outcomes = outcomes
        self._groups = groups
        self._find_policy = find_policy
        self._ranked_by: int | None = None
        self._passes: Iterator[None] = iter(())
        self._over_at = 0.0
        self._grouped_at = -math.inf

    def _run(self) -> None:
        pause = IDLE_SECONDS
        while not self._closing.wait(pause):
            pause = PAUSE_SECONDS if self._take_turn() else IDLE_SECONDS

    def _take_turn(self) -> bool:
        """Whether there was something to do."""
        policy = self._find_policy()
        try:
            self._find_groups(policy)
            counted = self._outcomes.count_outcomes(policy.reporters, BATCH_DECISIONS)
            forgotten = self._outcomes.forget_outcomes(policy.reporters, BATCH_DECISIONS)
            gathered = self._ranking.gather_again(policy, BATCH_GATHERED)
            ranked = self._rank(policy)
        except FlagrankError as error:  # all of it can wait
            log.warning("ranking_waits", code=error.code, sentence=error.detail)
            return False
        return bool(counted or forgotten or gathered or ranked)

    def _find_groups(self, policy: Policy) -> None:
        if time.monotonic() > self._grouped_at + GROUPING_SECONDS:
            self._groups.find_groups(policy.reporters, GROUPED_CASES)
            self._grouped_at = time.monotonic()

    def _rank(self, policy: Policy) -> bool:
        """Rank one batch of the cases that another policy has ranked; whether there was one."""
        if policy.version != self._ranked_by or time.monotonic() > self._over_at + LOOK_AGAIN_SECONDS:
            self._ranked_by, self._over_at = policy.version, math.inf
            self._passes = self._go_through(policy)
        for _ in self._passes:
            return True
        self._over_at = min(self._over_at, time.monotonic())
        return False

    def _go_through(self, policy: Policy) -> Iterator[None]:
        """Pass after pass over all cases, the most urgent first, a batch a step, until one finds none."""
        has_found = True
        while has_found:
            has_found = False
            for status in (CaseStatus.OPEN, CaseStatus.ESCALATED):
                cursor: QueueCursor | None = None
                while cursor := self._ranking.rank_again(policy, status, cursor, BATCH_CASES):
                    has_found = True
                    yield
