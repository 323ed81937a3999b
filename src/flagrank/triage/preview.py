"""How the top of the queue would change under another policy, before anybody activates it."""

from collections.abc import Sequence

import msgspec

from flagrank.triage.case import Evidence
from flagrank.triage.policy import Policy
from flagrank.triage.priority import assess_case
from flagrank.triage.review import QueueCase


class Move(msgspec.Struct, frozen=True):
    """A case that is at the top now, or would be; places count from 1."""

    case: QueueCase
    place: int
    place_then: int
    priority_then: float


def preview_ranking(cases: Sequence[tuple[QueueCase, Evidence]], policy: Policy, top: int) -> list[Move]:
    """The cases that are among the first `top` now or would be, in the order of the policy.

    `cases` are the most urgent ones, in today's order, with their evidence; only they can come up.
    """
    priorities = [assess_case(evidence, policy).priority for _, evidence in cases]
    order = sorted(
        range(len(cases)), key=lambda place: (priorities[place], cases[place][0].case_id), reverse=True
    )
    return [
        Move(cases[place][0], place + 1, place_then, priorities[place])
        for place_then, place in enumerate(order, start=1)
        if place < top or place_then <= top
    ]
