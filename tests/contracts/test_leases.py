"""Each case is one moderator's at a time; the most urgent goes first; what is put aside goes to others."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from flagrank.storage.engine import Database
from flagrank.triage.errors import TooManyLeases
from flagrank.triage.policy import DrawShares
from flagrank.triage.review import LeaseDraw, LeaseLimits, QueueQuery, Verdict
from tests.case_store import POLICY, CaseStore, arrival, ids

UNKNOWN = "0199c0de-0000-7000-8000-000000000000"


@pytest.fixture
def store(database: Database) -> CaseStore:
    return CaseStore(database)


def test_the_most_urgent_are_leased_first(store: CaseStore) -> None:
    cases = store.open(10)
    first, second = store.lease("ann", 3), store.lease("bob", 3)
    assert ids(first) == ids(cases[:3])
    assert ids(second) == ids(cases[3:6])
    assert {case.leased_by for case in first} == {"ann"}
    lasts = first[0].lease_expires_at - datetime.now(UTC)  # type: ignore[operator]
    assert timedelta(seconds=580) < lasts <= timedelta(seconds=601)


def test_what_became_urgent_a_moment_ago_is_in_the_next_lease(store: CaseStore) -> None:
    store.open(5)
    store.take_in([arrival("new", 0.999, reason="minor_safety", exposure=1e6)])
    (leased,) = store.lease("ann", 1)
    assert leased.reported_id == "new"


def test_nothing_waiting_is_an_empty_lease(store: CaseStore) -> None:
    assert store.lease() == []
    store.open(2)
    assert len(store.lease("ann")) == 2
    assert store.lease("ann") == []


def test_leases_never_overlap(store: CaseStore) -> None:
    store.open(200)

    def work(moderator: str) -> list[str]:
        taken = []
        while leased := store.lease(moderator, 7):
            taken += ids(leased)
        return taken

    with ThreadPoolExecutor(8) as pool:
        got = Counter(
            case_id for taken in pool.map(work, [f"m{number}" for number in range(8)]) for case_id in taken
        )
    assert len(got) == 200
    assert set(got.values()) == {1}


def test_a_lease_that_is_over_is_free_again_without_a_sweep(store: CaseStore) -> None:
    store.open(3)
    held = store.lease("ann")
    store.let_leases_run_out()
    assert [case.leased_by for case in store.list()] == [None] * 3
    assert store.list(QueueQuery(leased_by="ann")) == []
    assert ids(store.lease("bob")) == ids(held)
    assert store.leasing.extend("ann", ids(held), 600) == []


def test_a_heartbeat_extends_what_is_held_and_nothing_else(store: CaseStore) -> None:
    store.open(3)
    (mine,) = store.lease("ann", 1)
    (theirs,) = store.lease("bob", 1)
    assert store.leasing.extend("ann", [theirs.case_id, mine.case_id, UNKNOWN, "x"], 5_000) == [mine.case_id]
    (now,) = store.list(QueueQuery(leased_by="ann"))
    assert now.lease_expires_at is not None
    assert mine.lease_expires_at is not None
    assert now.lease_expires_at - mine.lease_expires_at > timedelta(seconds=4_000)


def test_what_one_put_aside_goes_to_the_others_at_once_and_not_back_while_others_wait(
    store: CaseStore,
) -> None:
    cases = store.open(3)
    (first,) = store.lease("ann", 1)
    assert store.leasing.release("ann", [first.case_id]) == [first.case_id]
    assert store.leasing.release("ann", [first.case_id]) == []
    (second,) = store.lease("ann", 1)
    assert second.case_id == cases[1].case_id
    (again,) = store.lease("bob", 1)
    assert again.case_id == first.case_id


def test_what_was_put_aside_comes_back_when_nothing_else_waits(store: CaseStore) -> None:
    (only,) = store.open(1)
    store.lease("ann", 1)
    store.leasing.release("ann", [only.case_id])
    assert ids(store.lease("ann", 1)) == [only.case_id]


def test_no_one_is_given_a_case_about_themselves_or_one_that_they_reported(database: Database) -> None:
    store = CaseStore(database, msgspec.structs.replace(POLICY, moderator_ids={"ann": ("id-7",)}))
    store.take_in(
        [arrival("ann"), arrival("id-7"), arrival("x", 0.5, "ann"), arrival("y", 0.5, "id-7"), arrival("z")]
    )
    assert [case.reported_id for case in store.lease("ann")] == ["z"]
    assert {case.reported_id for case in store.lease("bob")} == {"ann", "id-7", "x", "y"}


def test_leases_of_one_and_of_all_are_limited(database: Database) -> None:
    store = CaseStore(database, limits=LeaseLimits(of_one=3, of_all=5))
    store.open(10)
    assert len(store.lease("ann", 10)) == 3
    with pytest.raises(TooManyLeases, match="ann holds 3 cases"):
        store.lease("ann", 1)
    assert len(store.lease("bob", 10)) == 2
    with pytest.raises(TooManyLeases, match="together hold 5 cases"):
        store.lease("eve", 1)
    store.decide(store.list(QueueQuery(leased_by="bob"))[0].case_id, "bob")
    assert len(store.lease("eve", 10)) == 1
    store.let_leases_run_out()
    assert len(store.lease("eve", 10)) == 3


def test_shares_of_the_leases_go_to_the_soonest_deadlines_and_to_the_blind_slice(database: Database) -> None:
    store = CaseStore(database, msgspec.structs.replace(POLICY, draws=DrawShares(0.25, 0.25)))
    now = datetime.now(UTC)
    store.take_in(
        arrival(f"t{number}", 0.9 - number / 100, received_at=now - timedelta(minutes=number))
        for number in range(80)
    )
    drawn: Counter[str | None] = Counter()
    for case in store.lease("ann", 40):
        store.decide(case.case_id)
        (lease,) = store.read(case.case_id).leases
        drawn[lease.draw] += 1
    assert drawn == {LeaseDraw.PRIORITY: 20, LeaseDraw.DEADLINE: 10, LeaseDraw.BLIND: 10}


def test_how_a_case_was_drawn_is_shown_once_it_is_decided(store: CaseStore) -> None:
    store.open(1)
    (case,) = store.lease()
    assert store.read(case.case_id).leases[0].draw is None
    store.decide(case.case_id, verdict=Verdict.ESCALATED)
    assert store.read(case.case_id).leases[0].draw is None
    store.decide(case.case_id)
    assert store.read(case.case_id).leases[0].draw is LeaseDraw.PRIORITY


def test_after_so_many_severe_cases_in_a_row_others_come_first(database: Database) -> None:
    leases = msgspec.structs.replace(POLICY.leases, most_severe_in_a_row=2)
    store = CaseStore(database, msgspec.structs.replace(POLICY, leases=leases))
    store.take_in(arrival(f"t{number}", 0.9, reason="threat") for number in range(5))
    store.take_in(arrival(f"s{number}", 0.1, reason="spam") for number in range(2))
    assert [case.reason for case in store.lease("ann", 3)] == ["threat", "threat", "spam"]
    assert [case.reason for case in store.lease("bob", 1)] == ["threat"]
    assert [case.reason for case in store.lease("bob", 2)] == ["threat", "spam"]
    assert store.lease("eve", 5)[0].reason == "threat"
