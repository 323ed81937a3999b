from datetime import UTC, datetime

import msgspec

from flagrank.settings import load_default_policy
from flagrank.triage.case import Evidence, gather_evidence
from flagrank.triage.preview import preview_ranking
from flagrank.triage.priority import assess_case
from flagrank.triage.review import CaseStatus, QueueCase
from tests.case_reports import make_report

NOW = load_default_policy()
THEN = msgspec.structs.replace(NOW, severities={**NOW.severities, "spam": 1_000.0})
AT = datetime(2027, 1, 5, tzinfo=UTC)


def make_case(number: int, evidence: Evidence) -> QueueCase:
    standing = assess_case(evidence, NOW)
    return QueueCase(
        case_id=f"0199c0de-0000-7000-8000-{number:012d}",
        status=CaseStatus.OPEN,
        priority=standing.priority,
        score=standing.score,
        severity=standing.severity,
        exposure=standing.exposure,
        reason=standing.reason,
        abuse_type=standing.abuse_type,
        reported_id=None,
        content_id=None,
        n_reports=evidence.n_reports,
        n_reporters=evidence.n_reporters,
        first_reported_at=AT,
        deadline_at=standing.deadline_at,
        policy_version=1,
        leased_by=None,
        lease_expires_at=None,
        decided_at=None,
    )


def make_queue(reasons: list[str]) -> list[tuple[QueueCase, Evidence]]:
    seen = [gather_evidence([make_report(0.5, reason=reason)]) for reason in reasons]
    cases = [(make_case(number, evidence), evidence) for number, evidence in enumerate(seen)]
    return sorted(cases, key=lambda one: (one[0].priority, one[0].case_id), reverse=True)


def test_the_same_policy_moves_nothing() -> None:
    queue = make_queue(["spam", "threat", "hate", "scam"])
    moves = preview_ranking(queue, NOW, 3)
    assert [(move.place, move.place_then) for move in moves] == [(1, 1), (2, 2), (3, 3)]
    assert [move.priority_then for move in moves] == [move.case.priority for move in moves]


def test_what_comes_up_and_what_goes_down_is_told_in_the_new_order() -> None:
    queue = make_queue(["spam", "threat", "hate", "scam"])
    moves = preview_ranking(queue, THEN, 2)
    assert [(move.case.reason, move.place, move.place_then) for move in moves] == [
        ("spam", 4, 1),
        ("threat", 1, 2),
        ("hate", 2, 3),
    ]
    assert moves[0].priority_then == 1_000 * moves[0].case.priority


def test_an_empty_queue_has_nothing_to_move() -> None:
    assert preview_ranking([], THEN, 100) == []
