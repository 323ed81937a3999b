"""What is asked of a store of cases, one port for each side that asks.

As in `triage.task_ports`: every method blocks until the database has answered, may be called from any thread,
and is one transaction. `StoreUnavailable` is raised where the database does not answer.
"""

from collections.abc import Collection
from typing import Protocol

from flagrank.triage.policy import Policy
from flagrank.triage.review import (
    CaseDetail,
    LeaseRequest,
    QueueCase,
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
