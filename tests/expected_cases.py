"""What a model in plain Python knows of cases, and reports before they are sent."""

from datetime import datetime

import msgspec
from hypothesis import strategies as st

from flagrank.triage.case import gather_evidence
from flagrank.triage.priority import Standing, assess_case
from flagrank.triage.review import Arrival, CaseStatus, LeaseDraw, Verdict
from tests.case_store import POLICY


class Said(msgspec.Struct, frozen=True):
    """A report, before it is sent."""

    target: str | None
    content: str | None
    reporter: str | None
    score: float
    made: str
    reason: str | None
    exposure: float | None
    is_repeated: bool


SAID = st.builds(
    Said,
    target=st.sampled_from(["t1", "t1", "t2", "t3", "ann", None]),
    content=st.sampled_from(["c1", None]),
    reporter=st.sampled_from([None, "u1", "u2", "u1", "u2", "bob"]),
    score=st.sampled_from([0.05, 0.4, 0.9]),
    made=st.sampled_from(["now", "long ago", "as the case was decided"]),
    reason=st.sampled_from([None, "spam", "threat"]),
    exposure=st.sampled_from([None, 0.0, 500.0]),
    is_repeated=st.sampled_from([False, False, False, True]),
)


class ExpectedLease(msgspec.Struct):
    """What the model knows of a lease."""

    moderator: str
    draw: LeaseDraw
    has_ended: bool = False


class ExpectedDecision(msgspec.Struct):
    """What the model knows of a decision."""

    moderator: str
    verdict: Verdict
    reversed_by: str | None = None


class Expected(msgspec.Struct):
    """What the model knows of a case; of its holder, until when is a matter of `is_over`."""

    case_id: str
    key: str | None
    target: str | None
    content: str | None
    is_blind: bool
    reports: list[Arrival] = []
    answered: set[str] = set()
    status: CaseStatus = CaseStatus.OPEN
    decided_at: datetime | None = None
    holder: str | None = None
    is_over: bool = False
    leases: list[ExpectedLease] = []
    decisions: list[ExpectedDecision] = []
    standing: Standing | None = None

    @property
    def held_by(self) -> str | None:
        return None if self.is_over else self.holder

    @property
    def rank(self) -> tuple[float, str]:
        assert self.standing is not None
        return self.standing.priority, self.case_id

    @property
    def deadline(self) -> tuple[datetime, str]:
        assert self.standing is not None
        return self.standing.deadline_at, self.case_id

    def assess(self) -> None:
        self.standing = assess_case(gather_evidence(one.counted for one in self.reports), POLICY)

    def concerns(self, moderator: str) -> bool:
        return self.target == moderator or any(one.counted.reporter == moderator for one in self.reports)

    def end_lease(self) -> None:
        self.holder = None
        for one in self.leases:
            one.has_ended = True


def key_of(one: Arrival) -> str | None:
    """A target as the model tells it from others."""
    if one.reported_id is not None:
        return f"person {one.reported_id}"
    return one.content_id and f"content {one.content_id}"
