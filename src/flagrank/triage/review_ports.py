"""What is asked of a store of cases, one port for each side that asks.

As in `triage.task_ports`: every method blocks until the database has answered, may be called from any thread,
and is one transaction. `StoreUnavailable` is raised where the database does not answer.
"""

from collections.abc import Collection
from typing import Protocol

from flagrank.triage.case import Evidence
from flagrank.triage.policy import Policy, ReporterRules
from flagrank.triage.review import (
    CaseDetail,
    CaseStatus,
    LeaseRequest,
    QueueCase,
    QueueCursor,
    QueuePage,
    QueueQuery,
    Reversal,
    Ruling,
)


class QueueReading(Protocol):
    """The side of whoever looks."""

    def list_cases(self, query: QueueQuery) -> QueuePage:
        """Cases, highest priority first; by cursor, each that stays open and unchanged exactly once."""
        ...

    def count_cases(self, most: int) -> int:
        """How many cases are open; at most so many are counted."""
        ...

    def list_evidence(self, limit: int) -> list[tuple[QueueCase, Evidence]]:
        """So many of the most urgent open cases with what ranks them, highest priority first."""
        ...

    def read_case(self, case_id: str) -> CaseDetail | None:
        """The case with all that is known of it; None where no such id is known, or the text is no id."""
        ...


class Leasing(Protocol):
    """The side of a moderator who asks for work. A lease that is over needs nobody to end it."""

    def lease(self, request: LeaseRequest, policy: Policy) -> list[QueueCase]:
        """Cases that nobody holds, for this moderator alone until the lease is over; highest priority first.

        None that is about the moderator or reported by them. Raises `TooManyLeases`.
        """
        ...

    def extend(self, moderator: str, case_ids: Collection[str], lease_seconds: int) -> list[str]:
        """Hold on for so long from now; those of the cases that were theirs."""
        ...

    def release(self, moderator: str, case_ids: Collection[str]) -> list[str]:
        """Give cases back; those that were theirs."""
        ...


class Deciding(Protocol):
    """The side of a moderator who decides."""

    def decide(self, case_id: str, ruling: Ruling, policy: Policy) -> QueueCase:
        """Decide a case that is theirs or nobody's; the same decision again changes nothing.

        Raises `CaseNotFound`; `CaseConflict` where another holds it, or another final decision stands;
        `OwnCause`.
        """
        ...

    def reopen(self, case_id: str, reversal: Reversal, policy: Policy) -> QueueCase:
        """Reverse the decision that stands: the case is open again, ranked by the policy, and nobody's.

        Raises `CaseNotFound`; `CaseConflict` where it is open, or another case on its target is; `OwnCause`.
        """
        ...


class Outcomes(Protocol):
    """The side of the background that learns of reporters from decisions."""

    def count_outcomes(self, rules: ReporterRules, limit: int) -> int:
        """Count decisions, and reversals, that were not yet; at most so many; returns how many.

        The open cases of the reporters concerned are gathered again.
        """
        ...

    def forget_outcomes(self, rules: ReporterRules, limit: int) -> int:
        """Count at most so many reporters again of whom an outcome has left the window; how many."""
        ...


class CaseRanking(Protocol):
    """The side of the background that ranks open and escalated cases anew, beside the work on them."""

    def rank_again(
        self, policy: Policy, status: CaseStatus, cursor: QueueCursor | None, limit: int
    ) -> QueueCursor | None:
        """Rank so many cases that another policy has ranked, the most urgent behind the cursor first.

        Returns where to go on, None where there was none; cases that others hold locked are passed over.
        """
        ...

    def gather_again(self, policy: Policy, limit: int) -> int:
        """Read the reports of so many cases again of whose reporters something new is known; how many."""
        ...


class ReporterGroups(Protocol):
    """The side of the background that finds reporters in step."""

    def find_groups(self, rules: ReporterRules, n_cases: int) -> int:
        """Look at the reports of so many cases, the most urgent; how many reporters joined or left a group.

        The open cases of these are gathered again.
        """
        ...
