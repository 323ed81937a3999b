"""The queue of `serve --demo` has more waiting than two moderators can see, and is filled once."""

from datetime import UTC, datetime, timedelta

from flagrank.service.demo_queue import MODERATORS, SEEN_A_SHIFT, SHIFTS, seed_queue
from flagrank.settings import load_schema
from flagrank.storage.engine import Database
from flagrank.triage.feature_schema import FeatureSchema
from flagrank.triage.report import Report
from flagrank.triage.review import CaseStatus, QueueQuery
from tests.case_store import BASE_RATE, MODEL, POLICY, CaseStore, arrival


class LengthScorer:
    """A longer text is surer."""

    model = MODEL
    base_rate = BASE_RATE
    schema: FeatureSchema = load_schema(None)

    def score(self, reports: list[Report]) -> list[float]:
        lengths = [report.f1 for report in reports]  # type: ignore[attr-defined]
        return [0.02 + 0.96 * length / (length + 300) for length in lengths]


def test_more_waits_than_was_reviewed_and_some_of_it_too_long(database: Database) -> None:
    store = CaseStore(database)
    seed_queue(database, LengthScorer(), POLICY)
    waiting = store.list()
    assert len(waiting) > 3 * SHIFTS * SEEN_A_SHIFT
    assert any(case.deadline_at < datetime.now(UTC) for case in waiting)
    assert not any(case.leased_by for case in waiting)
    assert max(case.first_reported_at for case in waiting) > datetime.now(UTC) - timedelta(hours=2)
    for case in waiting[:5]:
        assert all("synthetic" in (report.content_text or "") for report in store.read(case.case_id).reports)


def test_what_the_moderators_decided_lies_in_the_past(database: Database) -> None:
    seed_queue(database, LengthScorer(), POLICY)
    store = CaseStore(database)
    store.take_in([arrival("someone")])
    (mine,) = (case for case in store.list() if case.reported_id == "someone")
    store.decide(mine.case_id, "ann")
    with database.read() as connection:
        rows = connection.exec_driver_sql("SELECT moderator, count(*) FROM decision GROUP BY moderator").all()
    assert {row[0] for row in rows} == {*MODERATORS, "ann"}
    assert sum(row[1] for row in rows) == SHIFTS * SEEN_A_SHIFT + 1


def test_a_queue_that_was_ever_used_is_left_alone(database: Database) -> None:
    store = CaseStore(database)
    store.take_in([arrival("someone")])
    case_id = store.find("someone").case_id
    store.decide(case_id)
    seed_queue(database, LengthScorer(), POLICY)
    assert store.list() == []
    assert store.list(QueueQuery(status=CaseStatus.ESCALATED)) == []
