"""What the lead is told of the queue is what reporters and moderators did with it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import msgspec
import pytest
from sqlalchemy import update

from flagrank.storage.case_tables import decision, lease_log, review_case
from flagrank.storage.engine import Database
from flagrank.storage.review_statistics import StoredReviewStatistics
from flagrank.triage.estimates import estimate_from_slice
from flagrank.triage.identifiers import read_time
from flagrank.triage.outlook import foresee_deadlines
from flagrank.triage.policy import DrawShares
from flagrank.triage.review import Verdict
from flagrank.triage.review_statistics import FLOW_DAYS, RulingCount
from tests.case_store import POLICY, CaseStore, arrival

HOUR = timedelta(hours=1)
MARKING_ALL = msgspec.structs.replace(POLICY, draws=DrawShares(0.0, 1.0))


@pytest.fixture
def store(database: Database) -> CaseStore:
    return CaseStore(database)


@pytest.fixture
def marked(database: Database) -> CaseStore:
    """A store that marks every case, until nothing is decided in a day."""
    return CaseStore(database, MARKING_ALL)


@pytest.fixture
def statistics(database: Database) -> StoredReviewStatistics:
    return StoredReviewStatistics(database)


def move_back(store: CaseStore, table: str, hours: float) -> None:
    """As if all that was leased or decided had been so many hours ago."""
    column = {"decision": decision.c.decided_at, "lease": lease_log.c.leased_at}[table]
    with store.database.write() as (connection, now):
        connection.execute(update(column.table).values({column.name: now - hours * HOUR}))


def test_of_an_empty_queue_there_is_nothing_to_tell(statistics: StoredReviewStatistics) -> None:
    backlog = statistics.read_backlog()
    assert (backlog.n_open, backlog.due, backlog.n_escalated, backlog.n_decided) == (0, (), 0, 0)
    assert (backlog.oldest_escalated_at, backlog.first_decided_at) == (None, None)
    assert statistics.read_rulings().counts == ()
    reading = statistics.read_slice()
    assert (reading.cases, reading.floors) == ((), ())
    assert estimate_from_slice(reading.cases, reading.floors).prevalence is None


def test_the_backlog_is_told_by_severity_and_age(
    store: CaseStore, statistics: StoredReviewStatistics
) -> None:
    store.take_in([arrival("a", reason="spam"), arrival("b", reason="spam"), arrival("c", reason="threat")])
    store.decide(store.find("a").case_id)
    cells = {(cell.band, cell.severity): cell.n_cases for cell in statistics.read_backlog().cells}
    assert cells == {(0, 1.0): 1, (0, 12.0): 1}


def test_an_old_case_stands_in_an_older_band(store: CaseStore, statistics: StoredReviewStatistics) -> None:
    store.take_in([arrival("a")])
    with store.database.write() as (connection, now):
        found = review_case.select().where(review_case.c.reported_id == "a")
        row = connection.execute(found).mappings().one()
        for hours in (2, 30, 100):
            old = f"{int((now - hours * HOUR).timestamp() * 1000):012x}"
            case_id = f"{old[:8]}-{old[8:]}-7000-8000-000000000000"
            values = {**row, "case_id": case_id, "join_key": f"aged:{hours}"}
            connection.execute(review_case.insert().values(values))
    assert [cell.band for cell in statistics.read_backlog().cells] == [0, 1, 3, 4]


def test_deadlines_are_counted_by_the_quarter_hour_in_which_they_end(
    store: CaseStore, statistics: StoredReviewStatistics
) -> None:
    now = datetime.now(UTC)
    times = [now - timedelta(days=4), now - timedelta(days=5), now - timedelta(hours=70), now]
    store.take_in(arrival(f"t{n}", received_at=at) for n, at in enumerate(times))
    backlog = statistics.read_backlog()
    over, soon, later = backlog.due
    assert (over.n_cases, over.due_at) == (2, backlog.counted_at)
    for cases, received in ((soon, times[2]), (later, times[3])):
        due_at = received + timedelta(hours=72)
        assert cases.n_cases == 1
        assert due_at < cases.due_at <= due_at + timedelta(minutes=15)
        assert cases.due_at.timestamp() % 900 == 0
    outlook = foresee_deadlines(backlog.due, backlog.counted_at, 0.1)
    assert (outlook.n_over, outlook.n_lost, outlook.first_lost_at) == (2, 1, soon.due_at)


def test_escalated_cases_are_counted_apart(store: CaseStore, statistics: StoredReviewStatistics) -> None:
    store.open(3)
    first = min(case.case_id for case in store.list())
    store.decide(first, verdict=Verdict.ESCALATED)
    backlog = statistics.read_backlog()
    assert (backlog.n_open, backlog.n_escalated) == (2, 1)
    assert backlog.oldest_escalated_at == read_time(first)


def test_decisions_of_the_last_day_make_the_pace(
    store: CaseStore, statistics: StoredReviewStatistics
) -> None:
    first, second, _ = store.open(3)
    store.decide(first.case_id)
    move_back(store, "decision", 25)
    store.decide(second.case_id)
    backlog = statistics.read_backlog()
    assert backlog.n_decided == 1
    assert backlog.first_decided_at is not None
    assert abs(backlog.first_decided_at - backlog.counted_at) < timedelta(minutes=1)


def test_each_hour_tells_what_came_in_and_what_was_decided(
    store: CaseStore, statistics: StoredReviewStatistics
) -> None:
    statistics.read_flow()
    cases = store.open(3)
    store.decide(cases[0].case_id)
    store.decide(cases[1].case_id)
    flow = statistics.read_flow()
    assert len(flow) == FLOW_DAYS * 24
    assert all(later.begins_at - hour.begins_at == HOUR for hour, later in pairwise(flow))
    # The hour may have turned between the two.
    assert sum(hour.n_arrived for hour in flow[-2:]) == 3
    assert sum(hour.n_decided for hour in flow[-2:]) == 2


def test_an_hour_long_over_is_counted_once_and_a_recent_one_again(
    store: CaseStore, statistics: StoredReviewStatistics
) -> None:
    statistics.read_flow()
    (case,) = store.open(1)
    store.decide(case.case_id)
    move_back(store, "decision", 5)
    assert sum(hour.n_decided for hour in statistics.read_flow()) == 0
    assert sum(hour.n_decided for hour in StoredReviewStatistics(store.database).read_flow()) == 1


def test_a_decision_that_another_reversed_is_overruled_and_ones_own_is_undone(
    store: CaseStore, statistics: StoredReviewStatistics
) -> None:
    store.take_in(arrival(f"t{n}", 0.5 + n / 100, reason="hate") for n in range(4))
    store.take_in([arrival("u")])
    closed = {case.reported_id: case.case_id for case in store.list()}
    for target, case_id in closed.items():
        store.decide(case_id, "bo" if target == "t3" else "ann")
    store.reopen(closed["t0"], "bo")
    store.reopen(closed["t1"], "ann")
    store.reopen(closed["t2"], "bo")
    store.decide(closed["t2"], "cy", Verdict.ESCALATED)
    assert statistics.read_rulings().counts == (
        RulingCount("ann", "hate", n_final=3, n_undone=1, n_overruled=2, n_escalated=0),
        RulingCount("ann", "other", n_final=1, n_undone=0, n_overruled=0, n_escalated=0),
        RulingCount("bo", "hate", n_final=1, n_undone=0, n_overruled=0, n_escalated=0),
        RulingCount("cy", "hate", n_final=0, n_undone=0, n_overruled=0, n_escalated=1),
    )


def test_decisions_of_months_ago_count_no_more(store: CaseStore, statistics: StoredReviewStatistics) -> None:
    (case,) = store.open(1)
    store.decide(case.case_id)
    move_back(store, "decision", 29 * 24)
    assert statistics.read_rulings().counts == ()


def decide_all(store: CaseStore, targets: Sequence[str]) -> None:
    for case in store.list():
        if case.reported_id in targets:
            verdict = Verdict.ACTIONED if case.score > 0.2 else Verdict.DISMISSED
            store.decide(case.case_id, verdict=verdict)


def test_the_slice_ends_with_its_oldest_case_that_is_not_decided(
    marked: CaseStore, statistics: StoredReviewStatistics
) -> None:
    for n, score in enumerate((0.1, 0.6, 0.7, 0.8)):  # one after the other, so that their ids rise
        marked.take_in([arrival(f"t{n}", score)])
    waiting = marked.find("t2").case_id
    decide_all(marked, ["t0", "t1", "t3"])
    reading = statistics.read_slice()
    assert [case.is_actionable for case in reading.cases] == [False, True]
    assert reading.end == read_time(waiting)
    assert reading.begin == reading.end - timedelta(days=7)
    marked.decide(waiting, verdict=Verdict.ESCALATED)
    assert len(statistics.read_slice().cases) == 2
    marked.decide(waiting)
    assert [case.is_actionable for case in statistics.read_slice().cases] == [False, True, True, True]


def test_cases_that_are_not_marked_are_no_part_of_it(
    store: CaseStore, statistics: StoredReviewStatistics
) -> None:
    for case in store.open(5):
        store.decide(case.case_id)
    assert statistics.read_slice().cases == ()


def test_a_marked_case_keeps_its_probability_and_priority(
    marked: CaseStore, statistics: StoredReviewStatistics
) -> None:
    marked.take_in([arrival("t", 0.6)])
    before = marked.find("t")
    marked.decide(before.case_id)
    (case,) = statistics.read_slice().cases
    assert case.inclusion == 1.0
    assert case.priority == before.priority
    assert case.arrived_at == read_time(before.case_id)


def test_floors_are_the_leases_by_priority_that_nothing_later_went_below(
    store: CaseStore, statistics: StoredReviewStatistics
) -> None:
    low, middle, high = reversed(store.open(3))
    for case, hours in ((middle, 3), (high, 2), (low, 1)):
        lease(store, case.case_id, case.priority, hours)
    lease(store, low.case_id, 0.0, 0.5, "deadline")
    lease(store, high.case_id, high.priority, 0)
    floors = statistics.read_slice().floors
    assert [floor.priority for floor in floors] == [low.priority, high.priority]
    assert floors[0].at < floors[1].at


def lease(store: CaseStore, case_id: str, priority: float, hours: float, draw: str = "priority") -> None:
    """A lease in the log, so many hours ago."""
    with store.database.write() as (connection, now):
        row = {
            "case_id": case_id,
            "lease_no": 1 + int(10 * hours),
            "moderator": "ann",
            "draw": draw,
            "propensity": 0.05,
            "severity": 1.0,
            "priority": priority,
            **dict.fromkeys(("leased_at", "until", "ended_at"), now - hours * HOUR),
            "was_released": False,
        }
        connection.execute(lease_log.insert().values(row))
