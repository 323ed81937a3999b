"""Reports join into cases, and are ranked as the domain says."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from flagrank.storage.engine import Database
from flagrank.triage.case import gather_evidence
from flagrank.triage.priority import assess_case
from flagrank.triage.review import CaseStatus, QueueQuery, Verdict
from tests.case_store import MODEL, CaseStore, arrival, ids


@pytest.fixture
def store(database: Database) -> CaseStore:
    return CaseStore(database)


def ago(**passed: float) -> datetime:
    return datetime.now(UTC) - timedelta(**passed)


def test_reports_on_one_person_are_one_case(store: CaseStore) -> None:
    store.take_in([arrival("bob", 0.4, "u1"), arrival("eve", 0.9, "u1")])
    store.take_in([arrival("bob", 0.7, "u2", content_id="m1"), arrival("bob", 0.6, "u1")])
    eve, bob = sorted(store.list(), key=lambda case: case.n_reports)
    assert (bob.reported_id, bob.n_reports, bob.n_reporters) == ("bob", 3, 2)
    assert (eve.reported_id, eve.n_reports, eve.n_reporters) == ("eve", 1, 1)


def test_without_a_person_reports_join_by_content_and_without_both_they_stay_alone(store: CaseStore) -> None:
    store.take_in([arrival(content_id="m1"), arrival(content_id="m1"), arrival(), arrival()])
    assert sorted(case.n_reports for case in store.list()) == [1, 1, 2]


def test_a_person_and_a_content_of_one_name_are_two_cases(store: CaseStore) -> None:
    store.take_in([arrival("x"), arrival(content_id="x")])
    assert len(store.list()) == 2


def test_a_case_stands_where_all_its_reports_put_it_however_they_came(store: CaseStore) -> None:
    chance = Random(3)  # noqa: S311 - the same each time
    came = [
        arrival(
            "bob",
            chance.uniform(0.01, 0.99),
            chance.choice([None, "u1", "u2", "u3"]),
            reason=chance.choice([None, "spam", "threat"]),
            exposure=chance.choice([None, None, 500.0]),
            received_at=ago(minutes=60 - number),
        )
        for number in range(40)
    ]
    at = 0
    while at < len(came):
        size = chance.randint(1, 9)
        store.take_in(came[at : at + size])
        at += size
    (case,) = store.list()
    evidence = gather_evidence(one.counted for one in came)
    assert store.read(case.case_id).evidence == evidence
    expected = assess_case(evidence, store.policy)
    assert (case.score, case.severity, case.exposure) == (
        expected.score,
        expected.severity,
        expected.exposure,
    )
    assert (case.priority, case.reason, case.abuse_type) == (
        expected.priority,
        expected.reason,
        expected.abuse_type,
    )
    assert (case.deadline_at, case.policy_version) == (expected.deadline_at, store.policy.version)


def test_a_report_that_the_store_has_counts_once(store: CaseStore) -> None:
    store.take_in([arrival("bob", report_id="mine"), arrival("bob", report_id="mine")])
    store.take_in([arrival("bob", report_id="mine"), arrival("eve", report_id="mine")])
    (case,) = store.list()
    assert (case.reported_id, case.n_reports) == ("bob", 1)


def test_a_report_keeps_all_that_was_sent(store: CaseStore) -> None:
    one = arrival("bob", 0.8, "u1", reason="scam", exposure=12.0, content_text="give me\nmoney")
    store.take_in([one])
    (kept,) = store.read(store.find("bob").case_id).reports
    assert (kept.report_id, kept.reporter_id, kept.reason, kept.exposure) == (
        one.report_id,
        "u1",
        "scam",
        12.0,
    )
    assert (kept.score, kept.model, kept.content_text) == (0.8, MODEL, "give me\nmoney")
    assert kept.fields == {"report_text_len": 12}
    assert not kept.is_answered


def test_a_report_on_a_closed_case_opens_a_new_one(store: CaseStore) -> None:
    store.take_in([arrival("bob")])
    first = store.find("bob")
    store.decide(first.case_id)
    store.take_in([arrival("bob")])
    second = store.find("bob")
    assert second.case_id != first.case_id
    assert second.n_reports == 1


def test_a_report_made_before_the_decision_is_answered_by_it(store: CaseStore) -> None:
    store.take_in([arrival("bob", 0.5, "u1")])
    case_id = store.find("bob").case_id
    store.decide(case_id)
    store.take_in(
        [arrival("bob", 0.9, "u2", made_at=ago(hours=2)), arrival("bob", 0.9, "u3", made_at=ago(hours=1))]
    )
    assert store.list() == []
    answered = store.read(case_id)
    assert answered.case.status is CaseStatus.ACTIONED
    assert [report.is_answered for report in answered.reports] == [True, True, False]


def test_what_answered_reports_say_counts_when_the_case_is_open_again(store: CaseStore) -> None:
    store.take_in([arrival("bob", 0.2, "u1")])
    before = store.find("bob")
    store.decide(before.case_id)
    store.take_in([arrival("bob", 0.9, "u2", made_at=ago(hours=2))])
    after = store.reopen(before.case_id)
    assert (after.n_reports, after.n_reporters) == (2, 2)
    assert after.priority > before.priority


def test_a_report_on_an_escalated_case_joins_it(store: CaseStore) -> None:
    store.take_in([arrival("bob")])
    case_id = store.find("bob").case_id
    store.decide(case_id, verdict=Verdict.ESCALATED)
    store.take_in([arrival("bob")])
    assert store.list() == []
    (escalated,) = store.list(QueueQuery(status=CaseStatus.ESCALATED))
    assert (escalated.case_id, escalated.n_reports) == (case_id, 2)


def test_many_workers_taking_in_reports_on_the_same_people_lose_and_double_nothing(store: CaseStore) -> None:
    def work(seed: int) -> None:
        chance = Random(seed)  # noqa: S311 - the same each time
        worker = CaseStore(store.database)
        for _ in range(12):
            worker.take_in(
                arrival(f"t{chance.randrange(8)}", 0.5, f"u{seed}-{chance.randrange(3)}") for _ in range(20)
            )

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    cases = store.list()
    assert len(cases) == 8
    assert sum(case.n_reports for case in cases) == 6 * 12 * 20
    for case in cases:
        detail = store.read(case.case_id)
        assert detail.evidence.n_reports == case.n_reports


def test_a_report_that_two_workers_get_at_once_counts_once(store: CaseStore) -> None:
    other = CaseStore(store.database)
    mine = [arrival(report_id=f"r-{number}") for number in range(3)]
    theirs = [arrival("bob", report_id="r-2"), arrival(report_id="r-1"), arrival("bob")]
    with ThreadPoolExecutor(1) as pool:
        with store.database.write() as transaction:
            store.intake.take_in(transaction, mine, store.policy)
            taken = pool.submit(other.take_in, theirs)
            time.sleep(0.3)  # until they wait for each other, where the database lets two write
        taken.result()
    assert sorted(str(case.reported_id) for case in store.list()) == ["None", "None", "None", "bob"]
    assert store.find("bob").n_reports == 1


def test_pages_show_each_case_once_while_others_decide(store: CaseStore) -> None:
    cases = store.open(100)
    seen: list[str] = []
    cursor = None
    decided: set[str] = set()
    while True:
        page = store.reading.list_cases(QueueQuery(limit=10, cursor=cursor))
        seen += ids(page.cases)
        if not decided:
            decided = set(ids(page.cases[:6]))
            for case_id in decided:
                store.decide(case_id)
        cursor = page.next
        if cursor is None:
            break
    assert seen == ids(cases)
    assert len(store.list()) == 94


def test_cases_of_one_priority_are_paged_without_a_gap(store: CaseStore) -> None:
    store.take_in(arrival(f"t{number}") for number in range(25))
    seen: list[str] = []
    cursor = None
    while True:
        page = store.reading.list_cases(QueueQuery(limit=4, cursor=cursor))
        seen += ids(page.cases)
        cursor = page.next
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 25


def test_filters_narrow_the_queue(store: CaseStore) -> None:
    store.take_in([arrival("a", reason="spam"), arrival("b", reason="scam", abuse_type="PRF"), arrival("c")])
    assert [case.reported_id for case in store.list(QueueQuery(reason="scam"))] == ["b"]
    assert {case.reported_id for case in store.list(QueueQuery(abuse_type="MSG"))} == {"a", "c"}
    (leased,) = store.lease("ann", 1)
    assert ids(store.list(QueueQuery(leased_by="ann"))) == [leased.case_id]
    assert store.list(QueueQuery(leased_by="bob")) == []


def test_open_cases_are_counted_as_far_as_asked(store: CaseStore) -> None:
    store.open(7)
    assert store.reading.count_cases(100) == 7
    assert store.reading.count_cases(5) == 5


def test_the_most_urgent_come_with_what_ranks_them(store: CaseStore) -> None:
    cases = store.open(5)
    listed = store.reading.list_evidence(3)
    assert [case for case, _ in listed] == cases[:3]
    for case, evidence in listed:
        assert evidence == store.read(case.case_id).evidence


@pytest.mark.parametrize("unknown", ["", "x", "0199c0de-0000-7000-8000-000000000000"])
def test_an_unknown_case_is_none(store: CaseStore, unknown: str) -> None:
    assert store.reading.read_case(unknown) is None
