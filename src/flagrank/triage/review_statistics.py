"""What the lead of the moderators asks of the queue, and the port to ask it by."""

from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from flagrank.triage.estimates import Floor, SliceCase
from flagrank.triage.outlook import DueCases, Outlook, foresee_deadlines, measure_pace

AGE_BANDS = (timedelta(hours=1), timedelta(hours=4), timedelta(days=1), timedelta(days=3))
"""A case is in the first band that it is younger than, else in one more, the last."""

FLOW_DAYS = 7
SLICE_DAYS = 7
AGREEMENT_DAYS = 28
MOST_SLICE_CASES = 20_000
MOST_AGREEMENT_DECISIONS = 20_000
MOST_ESCALATED = 10_001


class BacklogCell(msgspec.Struct, frozen=True):
    """Open cases of one band of age and one severity; `band` is a position, 0 the youngest."""

    band: int
    severity: float
    n_cases: int


class Backlog(msgspec.Struct, frozen=True, kw_only=True):
    """The open cases as they were at one moment, and how many were decided in the 24 hours before it.

    `due` has a row a quarter of an hour, at its end, and one at `counted_at` for what is over. At most
    `MOST_ESCALATED` escalated cases are counted.
    """

    counted_at: datetime
    cells: tuple[BacklogCell, ...]
    due: tuple[DueCases, ...]
    n_escalated: int
    oldest_escalated_at: datetime | None  # when it came in
    n_decided: int
    first_decided_at: datetime | None

    @property
    def n_open(self) -> int:
        """How many cases are open."""
        return sum(cell.n_cases for cell in self.cells)

    def foresee(self) -> Outlook:
        """What becomes of the deadlines at the pace of those 24 hours."""
        per_hour = measure_pace(self.n_decided, self.first_decided_at, self.counted_at)
        return foresee_deadlines(self.due, self.counted_at, per_hour)


class HourFlow(msgspec.Struct, frozen=True):
    """Cases that came in, and decisions, in the hour that begins then; the last hour is not over."""

    begins_at: datetime
    n_arrived: int
    n_decided: int


class RulingCount(msgspec.Struct, frozen=True):
    """Decisions of one moderator on cases of one reason, the case's own.

    `n_final` actioned or dismissed; of these `n_undone` were reversed by who made them, which is a slip, and
    `n_overruled` by another person, which is another opinion.
    """

    moderator: str
    reason: str
    n_final: int
    n_undone: int
    n_overruled: int
    n_escalated: int


class Rulings(msgspec.Struct, frozen=True):
    """Decisions counted since then: of `AGREEMENT_DAYS`, or the newest `MOST_AGREEMENT_DECISIONS`."""

    since: datetime
    counts: tuple[RulingCount, ...]


class SliceReading(msgspec.Struct, frozen=True):
    """Marked cases that came in between two moments, and what the ranking reached (`triage.estimates`).

    `end` is when the oldest came that is not decided; `begin` a week before, or when more came than are read.
    The ranking had until a week after `end`: leases without end would have to be looked through.
    """

    begin: datetime
    end: datetime
    cases: tuple[SliceCase, ...]
    floors: tuple[Floor, ...]


class ReviewStatistics(Protocol):
    """What the lead asks.

    As in `triage.review_ports`: every method blocks until the database has answered, from any thread, and
    raises `StoreUnavailable`. With a million open cases the backlog takes some tenths of a second: ask twice
    a minute at most.
    """

    def read_backlog(self) -> Backlog:
        """The open cases by age, severity and deadline."""
        ...

    def read_flow(self) -> tuple[HourFlow, ...]:
        """The hours of the last `FLOW_DAYS`, the oldest first."""
        ...

    def read_rulings(self) -> Rulings:
        """Decisions by moderator and reason, and what became of them."""
        ...

    def read_slice(self) -> SliceReading:
        """The week of the blind slice that ends with its oldest case not yet decided."""
        ...
