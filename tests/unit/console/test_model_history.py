from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from flagrank.console.model_history import MOST, describe_history
from flagrank.triage.audit import AuditAction, AuditEntry

START = datetime(2026, 1, 1, tzinfo=UTC)


def entry(
    action: AuditAction, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None, minute: int = 0
) -> AuditEntry:
    at = START + timedelta(minutes=minute)
    return AuditEntry(at=at, actor="key:ann", action=action, before=before, after=after, reason=None)


def test_a_change_is_told_from_what_to_what() -> None:
    after = {"role": "champion", "replaces": 3, "finding": "It is clearly better."}
    (line,) = describe_history([entry(AuditAction.PROMOTE, {"role": "challenger", "share": 0.2}, after)])
    assert (line.at, line.actor, line.action) == (START, "key:ann", "promotion")
    assert (line.before, line.after) == ("challenger, share 0.2", "champion, replaces 3")
    assert line.finding == "It is clearly better."


def test_a_publication_comes_of_nothing_and_a_first_champion_replaces_none() -> None:
    published, promoted = describe_history(
        [
            entry(AuditAction.PROMOTE, {"role": "none"}, {"role": "champion", "replaces": None}),
            entry(AuditAction.PUBLISH, None, {"name": "x" * 128, "sha256": "a" * 64}),
        ]
    )
    assert published.before == "nothing"
    assert published.after == f"name {'x' * 40} [...], SHA-256 {'a' * 40} [...]"
    assert promoted.after == "champion"


def test_the_newest_changes_stand_first_and_the_oldest_are_left_out() -> None:
    lines = describe_history(
        [entry(AuditAction.GIVE_ROLE, None, {"role": "shadow"}, minute) for minute in range(MOST + 5)]
    )
    assert [line.at for line in lines] == [
        START + timedelta(minutes=minute) for minute in range(MOST + 4, 4, -1)
    ]
