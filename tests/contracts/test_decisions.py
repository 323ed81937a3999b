"""A decision is made once, by whom the case is leased to or where it is nobody's; it can be reversed."""

from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from flagrank.storage.audit import read_audit
from flagrank.storage.engine import Database
from flagrank.triage.audit import AuditAction
from flagrank.triage.errors import CaseConflict, CaseNotFound, OwnCause
from flagrank.triage.review import CaseStatus, QueueQuery, Verdict
from tests.case_store import POLICY, CaseStore, arrival, ids


@pytest.fixture
def store(database: Database) -> CaseStore:
    return CaseStore(database)


def test_who_holds_a_case_decides_it_and_it_leaves_the_queue(store: CaseStore) -> None:
    store.open(2)
    (case,) = store.lease("ann", 1)
    decided = store.decide(case.case_id, note="the third this week")
    assert (decided.status, decided.leased_by) == (CaseStatus.ACTIONED, None)
    assert len(store.list()) == 1
    detail = store.read(case.case_id)
    (decision,) = detail.decisions
    assert (decision.moderator, decision.verdict, decision.reason) == ("ann", Verdict.ACTIONED, "seen")
    assert decision.note == "the third this week"
    assert detail.leases[0].ended_at == decision.decided_at


def test_a_case_that_nobody_holds_may_be_decided(store: CaseStore) -> None:
    (case,) = store.open(1)
    assert store.decide(case.case_id, "bob", Verdict.DISMISSED).status is CaseStatus.DISMISSED


def test_another_moderator_is_told_who_holds_it(store: CaseStore) -> None:
    store.open(1)
    (case,) = store.lease("ann")
    with pytest.raises(CaseConflict, match="ann holds the case"):
        store.decide(case.case_id, "bob")
    store.let_leases_run_out()
    assert store.decide(case.case_id, "bob").status is CaseStatus.ACTIONED
    with pytest.raises(CaseConflict, match="actioned already"):
        store.decide(case.case_id, "ann", Verdict.DISMISSED)


def test_the_same_decision_again_changes_nothing(store: CaseStore) -> None:
    (case,) = store.open(1)
    first = store.decide(case.case_id)
    assert store.decide(case.case_id) == first
    assert len(store.read(case.case_id).decisions) == 1


def test_an_escalated_case_is_never_drawn_and_anyone_may_end_it(store: CaseStore) -> None:
    store.open(2)
    (case,) = store.lease("ann", 1)
    escalated = store.decide(case.case_id, verdict=Verdict.ESCALATED)
    assert (escalated.status, escalated.leased_by) == (CaseStatus.ESCALATED, None)
    assert case.case_id not in ids(store.lease("bob"))
    assert ids(store.list(QueueQuery(status=CaseStatus.ESCALATED))) == [case.case_id]
    assert store.decide(case.case_id, verdict=Verdict.ESCALATED) == escalated
    assert store.decide(case.case_id, "eve", Verdict.DISMISSED).status is CaseStatus.DISMISSED
    assert [one.verdict for one in store.read(case.case_id).decisions] == ["escalated", "dismissed"]


def test_a_reversed_decision_stays_in_the_history(store: CaseStore) -> None:
    store.open(1)
    (case,) = store.lease()
    store.decide(case.case_id)
    again = store.reopen(case.case_id, "eve")
    assert (again.status, again.leased_by, again.decided_at) == (CaseStatus.OPEN, None, None)
    assert ids(store.lease("bob")) == [case.case_id]
    store.decide(case.case_id, "bob", Verdict.DISMISSED)
    first, second = store.read(case.case_id).decisions
    assert (first.verdict, first.reversed_by, first.reversal_reason) == (Verdict.ACTIONED, "eve", "appeal")
    assert (second.verdict, second.reversed_at) == (Verdict.DISMISSED, None)


def test_an_escalation_is_reversed_too(store: CaseStore) -> None:
    (case,) = store.open(1)
    store.decide(case.case_id, verdict=Verdict.ESCALATED)
    assert store.reopen(case.case_id).status is CaseStatus.OPEN


def test_an_open_case_has_no_decision_to_reverse(store: CaseStore) -> None:
    (case,) = store.open(1)
    with pytest.raises(CaseConflict, match="no decision"):
        store.reopen(case.case_id)


def test_a_case_stays_closed_where_a_newer_one_on_its_target_is_open(store: CaseStore) -> None:
    store.take_in([arrival("bob")])
    first = store.find("bob")
    store.decide(first.case_id)
    store.take_in([arrival("bob")])
    with pytest.raises(CaseConflict, match=store.find("bob").case_id):
        store.reopen(first.case_id)
    assert store.read(first.case_id).case.status is CaseStatus.ACTIONED


def test_no_one_judges_a_case_about_themselves_or_one_that_they_reported(database: Database) -> None:
    store = CaseStore(database, msgspec.structs.replace(POLICY, moderator_ids={"ann": ("id-7",)}))
    store.take_in([arrival("ann"), arrival("id-7"), arrival("x", 0.5, "ann"), arrival("y", 0.5, "id-7")])
    for case in store.list():
        with pytest.raises(OwnCause, match="ann"):
            store.decide(case.case_id, "ann")
        store.decide(case.case_id, "bob")
        with pytest.raises(OwnCause, match="ann"):
            store.reopen(case.case_id, "ann")
        assert store.read(case.case_id).case.status is CaseStatus.ACTIONED


@pytest.mark.parametrize("unknown", ["", "x", "0199c0de-0000-7000-8000-000000000000"])
def test_an_unknown_case_is_refused(store: CaseStore, unknown: str) -> None:
    with pytest.raises(CaseNotFound):
        store.decide(unknown)
    with pytest.raises(CaseNotFound):
        store.reopen(unknown)


def test_of_many_that_decide_at_once_one_does(store: CaseStore) -> None:
    cases = store.open(20)

    def work(number: int) -> int:
        verdict = Verdict.ACTIONED if number % 2 else Verdict.DISMISSED
        won = 0
        for case in cases:
            try:
                store.decide(case.case_id, f"m{number}", verdict)
            except CaseConflict:
                continue
            won += 1
        return won

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    for case in cases:
        assert len(store.read(case.case_id).decisions) == 1


def test_decisions_and_reversals_are_audit_rows(store: CaseStore) -> None:
    (case,) = store.open(1)
    store.decide(case.case_id, note="their words")
    store.reopen(case.case_id, "eve")
    with store.database.read() as connection:
        decided, reopened = read_audit(connection, f"case/{case.case_id}")
    assert (decided.action, decided.actor, decided.reason) == (AuditAction.DECIDE, "key:test", "seen")
    assert decided.before == {"status": "open"}
    assert decided.after == {"status": "actioned", "decision_no": 1, "moderator": "ann"}
    assert (reopened.action, reopened.reason) == (AuditAction.REOPEN, "appeal")
    assert reopened.after == {"status": "open", "reverses": 1, "moderator": "eve"}
