"""A queue with a past, for the lead's page: cases of a week, decisions, reversals, names of all kinds."""

import random
from collections.abc import Mapping
from datetime import datetime, timedelta

from flagrank.storage.case_tables import CaseState, decision, lease_log, review_case
from flagrank.storage.dialect import insert_rows
from flagrank.triage.identifiers import first_identifier
from tests.case_store import CaseStore, arrival

HOUR = timedelta(hours=1)
HOSTILE = (
    "<script>document.title = 'taken'</script>",
    "\N{RIGHT-TO-LEFT OVERRIDE}nna",
    "m" * 128,
    '"><img src=x onerror="document.title = 1">',
)
MODERATORS = ("ann", "bo", *HOSTILE)
REASONS = ("spam", "harassment", "threat", "minor_safety", HOSTILE[0], None)
SEVERITIES = {"spam": 1.0, "harassment": 4.0, "threat": 12.0, "minor_safety": 25.0}


def fill_queue(store: CaseStore, n_cases: int = 1_500, hours: float = 150) -> None:
    """Cases of so many hours, of which two in three are decided; one in twelve deserves action."""
    chance = random.Random(5)  # noqa: S311 - the same each time
    store.take_in([arrival("one", 0.4)])
    with store.database.write() as (connection, now):
        pattern = {**connection.execute(review_case.select()).mappings().one()}
        made = [_draw_case(chance, pattern, now - hours * HOUR * (1 - n / n_cases)) for n in range(n_cases)]
        insert_rows(connection, review_case, [case for case, _ in made])
        ruled = [row for case, row in made if row is not None]
        insert_rows(connection, decision, ruled)
        insert_rows(connection, lease_log, [_lease_of(row) for row in ruled])


def _draw_case(
    chance: random.Random, pattern: Mapping[str, object], at: datetime
) -> tuple[dict[str, object], dict[str, object] | None]:
    case_id = f"{first_identifier(at)[:-6]}{chance.randrange(16**6):06x}"
    reason = chance.choices(REASONS, (8, 5, 2, 1, 1, 2))[0]
    severity = SEVERITIES.get(reason or "", 2.0)
    is_actioned = chance.random() < 0.12
    due = {1.0: 72, 2.0: 72, 4.0: 24, 12.0: 4, 25.0: 1}[severity]
    kind = chance.choices(("open", "decided", "escalated"), (33, 65, 2))[0]
    state = {"open": CaseState.OPEN, "escalated": CaseState.ESCALATED}.get(
        kind, CaseState.ACTIONED if is_actioned else CaseState.DISMISSED
    )
    decided_at = at + chance.random() * 20 * HOUR
    case = {
        **pattern,
        "case_id": case_id,
        "join_key": case_id,
        "status": int(state),
        "reason": reason,
        "severity": severity,
        "priority": severity * chance.lognormvariate(3, 1),
        "deadline_at": at + due * HOUR,
        "blind": kind == "decided" and chance.random() < 0.1,
        "blind_q": 0.1,
        "decided_at": decided_at if kind == "decided" else None,
        "decision_no": int(kind != "open"),
    }
    if kind == "open":
        return case, None
    moderator = chance.choices(MODERATORS, (8, 4, 1, 1, 1, 1))[0]
    reversed_by = chance.choices((None, moderator, "lead"), (94, 2, 4))[0] if kind == "decided" else None
    return case, {
        "case_id": case_id,
        "decision_no": 1,
        "moderator": moderator,
        "verdict": "escalated" if kind == "escalated" else "actioned" if is_actioned else "dismissed",
        "reason": None,
        "note": None,
        "decided_at": decided_at,
        "lease_no": 1,
        "reversed_at": None if reversed_by is None else decided_at,
        "reversed_by": reversed_by,
        "reversal_reason": None,
        "is_counted": False,
        "is_due": False,
    }


def _lease_of(row: dict[str, object]) -> dict[str, object]:
    return {
        "case_id": row["case_id"],
        "lease_no": 1,
        "moderator": row["moderator"],
        "draw": "priority",
        "propensity": 0.1,
        "severity": 1.0,
        "priority": 30.0,
        **dict.fromkeys(("leased_at", "until", "ended_at"), row["decided_at"]),
        "was_released": False,
    }
