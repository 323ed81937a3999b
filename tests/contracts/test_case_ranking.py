"""Open cases are ranked anew beside the work on them: by another policy, as decisions tell of reporters."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from sqlalchemy import update

from flagrank.storage.case_ranking import StoredCaseRanking
from flagrank.storage.case_tables import decision, review_case
from flagrank.storage.engine import Database
from flagrank.storage.known_reporters import read_shares
from flagrank.storage.outcomes import StoredOutcomes, mark_stale
from flagrank.storage.reporter_groups import StoredReporterGroups
from flagrank.triage.priority import assess_case
from flagrank.triage.reporter_record import Tally, compute_record, shrink_share
from flagrank.triage.review import CaseStatus, QueueCursor, QueueQuery, Verdict
from tests.case_store import POLICY, CaseStore, arrival, ids

HARSH = msgspec.structs.replace(
    POLICY, version=POLICY.version + 1, severities={"other": 1.0, "spam": 100.0, "threat": 2.0}
)
RULES = POLICY.reporters


@pytest.fixture
def store(database: Database) -> CaseStore:
    return CaseStore(database)


def rank_all(store: CaseStore, limit: int = 3) -> int:
    """Rank by the store's policy until a pass is over; how many batches it took."""
    ranking, n_batches = StoredCaseRanking(store.database), 0
    for status in (CaseStatus.OPEN, CaseStatus.ESCALATED):
        cursor: QueueCursor | None = None
        while cursor := ranking.rank_again(store.policy, status, cursor, limit):
            n_batches += 1
    return n_batches


def learn(store: CaseStore) -> None:
    """Count decisions, and rank the cases that they concern."""
    outcomes, ranking = StoredOutcomes(store.database), StoredCaseRanking(store.database)
    while outcomes.count_outcomes(RULES, 2):
        pass
    while ranking.gather_again(store.policy, 2):
        pass


def decide_for(store: CaseStore, reporter: str, verdicts: list[Verdict], reason: str | None = "spam") -> None:
    """Cases that this reporter was on, decided."""
    for number, verdict in enumerate(verdicts):
        target = f"{reporter}-{reason}-{number}"
        store.take_in([arrival(target, 0.5, reporter, reason=reason)])
        store.decide(store.find(target).case_id, "mod", verdict)


def record_of(store: CaseStore, target: str) -> float:
    return store.read(store.find(target).case_id).evidence.sum_record


def test_another_policy_ranks_every_case_anew_in_small_batches(store: CaseStore) -> None:
    store.take_in(
        arrival(f"t{number}", 0.5, reason=["spam", "threat", "hate"][number % 3]) for number in range(10)
    )
    store.decide(store.list()[0].case_id, verdict=Verdict.ESCALATED)
    store.policy = HARSH
    assert rank_all(store) == 4
    assert rank_all(store) == 0
    (escalated,) = store.list(QueueQuery(status=CaseStatus.ESCALATED))
    for case in [*store.list(), escalated]:
        expected = assess_case(store.read(case.case_id).evidence, HARSH)
        assert (case.priority, case.severity, case.policy_version) == (
            expected.priority,
            expected.severity,
            HARSH.version,
        )
    assert store.list()[0].reason == "spam"


def test_a_case_whose_reason_the_policy_has_lost_stays_ranked_by_the_fallback(store: CaseStore) -> None:
    store.take_in([arrival("bob", reason="hate")])
    store.policy = HARSH
    rank_all(store)
    (case,) = store.list()
    assert (case.reason, case.severity) == ("hate", 1.0)


def test_leases_go_on_while_cases_are_ranked_anew(store: CaseStore) -> None:
    store.open(6)
    held = ids(store.lease("ann", 2))
    store.policy = HARSH
    rank_all(store)
    assert sorted(ids(store.list(QueueQuery(leased_by="ann")))) == sorted(held)
    assert not set(ids(store.lease("bob", 10))) & set(held)


def test_a_reporter_whose_cases_are_dismissed_counts_for_less_everywhere(store: CaseStore) -> None:
    store.take_in([arrival("open", 0.5, "liar", reason="spam"), arrival("other", 0.5, "new", reason="spam")])
    before = store.find("open")
    decide_for(store, "liar", [Verdict.DISMISSED] * 6)
    learn(store)
    after = store.find("open")
    assert after.priority < before.priority
    assert store.find("other").priority > after.priority
    share = shrink_share(0, 6, RULES)
    expected = compute_record(Tally(6.0, 0.0), share, RULES)
    assert record_of(store, "open") == pytest.approx(expected, abs=1e-4)
    store.take_in([arrival("later", 0.5, "liar", reason="spam")])
    assert record_of(store, "later") == pytest.approx(expected, abs=1e-4)


def test_a_record_is_of_one_reason(store: CaseStore) -> None:
    decide_for(store, "u1", [Verdict.DISMISSED] * 4, "spam")
    decide_for(store, "u1", [Verdict.ACTIONED] * 4, None)
    learn(store)
    store.take_in(
        [
            arrival("a", 0.5, "u1", reason="spam"),
            arrival("b", 0.5, "u1"),
            arrival("c", 0.5, "u1", reason="hate"),
        ]
    )
    assert record_of(store, "a") < 0 < record_of(store, "b")
    assert record_of(store, "c") == 0


def test_reports_without_a_reporter_have_no_record(store: CaseStore) -> None:
    store.take_in([arrival("x", 0.5)])
    store.decide(store.find("x").case_id, verdict=Verdict.DISMISSED)
    learn(store)
    store.take_in([arrival("y", 0.5)])
    assert record_of(store, "y") == 0


def test_a_reversed_decision_counts_as_reversed(store: CaseStore) -> None:
    decide_for(store, "u1", [Verdict.DISMISSED] * 3)
    learn(store)
    store.take_in([arrival("open", 0.5, "u1", reason="spam")])
    assert record_of(store, "open") < 0
    with store.database.read() as connection:
        decided = list(connection.scalars(review_case.select().with_only_columns(review_case.c.case_id)))
    for case_id in decided:
        if store.read(case_id).case.status is CaseStatus.DISMISSED:
            store.reopen(case_id, "lead")
    learn(store)
    assert record_of(store, "open") == 0
    with store.database.read() as connection:
        assert read_shares(connection, datetime.now(UTC), RULES) == {"spam": RULES.prior_share}


def test_a_bad_record_is_forgotten_when_its_window_is_over(store: CaseStore) -> None:
    store.take_in([arrival("open", 0.5, "u1", reason="spam")])
    decide_for(store, "u1", [Verdict.DISMISSED] * 3)
    learn(store)
    assert record_of(store, "open") < 0
    outcomes = StoredOutcomes(store.database)
    assert outcomes.forget_outcomes(RULES, 10) == 0
    old = datetime.now(UTC) - timedelta(days=RULES.window_days + 1)
    with store.database.write() as (connection, _):
        connection.execute(update(decision).values(decided_at=old, is_due=True, is_counted=False))
        connection.execute(update(review_case).where(review_case.c.status == 3).values(decided_at=old))
    learn(store)
    assert record_of(store, "open") == 0


def test_what_is_gathered_again_is_what_its_reports_say(store: CaseStore) -> None:
    store.take_in(arrival("open", 0.1 * number, f"u{number % 3}", reason="spam") for number in range(1, 9))
    decide_for(store, "u1", [Verdict.ACTIONED] * 5)
    learn(store)
    detail = store.read(store.find("open").case_id)
    records = {report.reporter_id: report.record for report in detail.reports}
    assert records["u1"] > 0 == records["u0"]
    case = store.find("open")
    expected = assess_case(detail.evidence, store.policy)
    assert (case.score, case.priority) == (expected.score, expected.priority)
    assert detail.evidence.sum_record == records["u1"]


def test_evidence_with_records_is_the_same_in_one_batch_and_in_many(store: CaseStore) -> None:
    decide_for(store, "u1", [Verdict.ACTIONED] * 5)
    learn(store)
    later = CaseStore(store.database)
    for number in range(6):
        later.take_in([arrival("many", 0.1 + number / 10, f"u{number % 2}", reason="spam")])
    detail = store.read(store.find("many").case_id)
    assert detail.evidence.n_reporters == 2
    records = [report.record for report in detail.reports if report.reporter_id == "u1"]
    assert detail.evidence.sum_record == max(records) > 0


def test_reporters_in_step_are_one_voice_in_what_is_stored_and_in_what_comes(store: CaseStore) -> None:
    crowd = [f"u{number}" for number in range(9)]
    targets = [f"t{number}" for number in range(RULES.in_step_targets)]
    store.take_in(arrival(target, 0.6, name) for target in targets for name in crowd)
    store.take_in([arrival("t0", 0.4, "alone")])
    groups = StoredReporterGroups(store.database)
    assert groups.find_groups(RULES, 100) == len(crowd)
    assert groups.find_groups(RULES, 100) == 0
    learn(store)
    assert [store.find(target).n_reporters for target in targets] == [2, 1, 1]
    store.take_in([arrival("t1", 0.9, "u4"), arrival("t1", 0.5, "u5"), arrival("t1", 0.5, "other")])
    assert store.find("t1").n_reporters == 2
    assert store.find("t1").n_reports == len(crowd) + 3
    assert store.read(store.find("t1").case_id).evidence.max_log_odds == pytest.approx(2.1972, abs=1e-3)
    assert {report.reporter_id for report in store.read(store.find("t2").case_id).reports} == set(crowd)


def test_news_of_a_reporter_that_come_while_their_cases_are_gathered_are_not_lost(store: CaseStore) -> None:
    store.take_in([arrival("bob", 0.5, "u1")])
    ranking = StoredCaseRanking(store.database)
    with store.database.write() as (connection, _):
        mark_stale(connection, ["u1"])
    with ThreadPoolExecutor(1) as pool:
        with store.database.write() as (connection, _):
            mark_stale(connection, ["u1"])
            gathering = pool.submit(ranking.gather_again, store.policy, 10)
            with suppress(TimeoutError):  # where one transaction at a time writes
                assert gathering.result(0.5) == 0
        n_gathered = gathering.result() + ranking.gather_again(store.policy, 10)
    assert n_gathered == 1
