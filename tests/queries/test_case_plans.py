"""With fifty thousand cases, each hot query of the review queue reads what it needs by an index, in order."""

import re
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from itertools import count

import msgspec
import pytest
from sqlalchemy import text

from benchmarks.queue_history import fill
from flagrank.storage.case_ranking import StoredCaseRanking
from flagrank.storage.case_tables import review_case
from flagrank.storage.engine import open_database
from flagrank.storage.outcomes import StoredOutcomes
from flagrank.storage.review_statistics import StoredReviewStatistics
from flagrank.triage.policy import DrawShares
from flagrank.triage.review import CaseStatus, QueueCursor, QueueQuery, Verdict
from tests.case_store import POLICY, CaseStore, arrival, ids
from tests.databases import KINDS, make_databases
from tests.queries.statements import SORT, explain, record_statements

REPORTS = 200_000  # a tenth as many cases are open
TABLES = ("review_case", "report", "lease_log", "decision", "reporter_tally")
HELD = 1_000
MODERATORS = [f"m{number}" for number in range(4)]
BY_ALL = msgspec.structs.replace(POLICY, draws=DrawShares(0.4, 0.4))
_numbers = count()


@pytest.fixture(scope="module", params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CaseStore]:
    """A thousand of the most urgent cases are held."""
    with make_databases(request.param, tmp_path_factory.mktemp("databases")) as make_url:
        url = make_url()
        fill(url, REPORTS)
        database = open_database(url)
        made = CaseStore(database)
        for number in range(HELD // 100):
            assert len(made.lease(MODERATORS[number % len(MODERATORS)], 100, 3_600)) == 100
        yield made
        database.close()


def lease_by_all_draws(store: CaseStore) -> object:
    store.policy = BY_ALL
    leased = store.lease("ann", 5)
    store.policy = POLICY
    assert len(leased) == 5
    return leased


def ask_statistics(store: CaseStore, name: str) -> object:
    return getattr(StoredReviewStatistics(store.database), name)()


def take_in(store: CaseStore) -> None:
    """Of one batch, reports on open cases and closed ones, late ones, new ones, by known reporters."""
    known = [arrival(f"p{number}", reporter=f"u{number}") for number in range(0, 200, 2)]
    late = [
        arrival(f"p{number}", made_at=one.counted.made_at - timedelta(days=400))
        for number, one in zip(range(5, 50, 10), known, strict=False)
    ]
    new = [arrival(f"new{next(_numbers)}", reporter="u77") for _ in range(50)]
    store.take_in([*known, *late, *new])


def decide(store: CaseStore, verdict: Verdict = Verdict.DISMISSED) -> str:
    (case,) = store.lease("bob", 1)
    store.decide(case.case_id, "bob", verdict)
    return case.case_id


def list_page(store: CaseStore, query: QueueQuery) -> object:
    return store.reading.list_cases(query)


def find_cursor(store: CaseStore) -> QueueCursor | None:
    return store.reading.list_cases(QueueQuery(limit=1_000)).next


def list_second(store: CaseStore) -> object:
    return store.reading.list_cases(QueueQuery(cursor=find_cursor(store)))


def extend(store: CaseStore) -> object:
    return store.leasing.extend("m1", ids(store.list(QueueQuery(leased_by="m1", limit=100))), 7_200)


def release(store: CaseStore) -> object:
    return store.leasing.release("ann", ids(store.lease("ann", 5)))


def rank_again(store: CaseStore) -> object:
    newer = msgspec.structs.replace(POLICY, version=POLICY.version + 1)
    return StoredCaseRanking(store.database).rank_again(newer, CaseStatus.OPEN, find_cursor(store), 100)


def count_outcomes(store: CaseStore) -> object:
    decide(store)
    return StoredOutcomes(store.database).count_outcomes(store.policy.reporters, 100)


def gather_again(store: CaseStore) -> object:
    count_outcomes(store)
    return StoredCaseRanking(store.database).gather_again(store.policy, 100)


Ask = Callable[[CaseStore], object]
IN_ORDER: dict[str, tuple[Ask, set[str]]] = {
    "lease": (
        lambda store: store.lease("ann", 10),
        {"review_case_priority", "lease_log_standing", "lease_log_moderator"},
    ),
    "lease_by_all_draws": (
        lease_by_all_draws,
        {"review_case_deadline", "review_case_blind", "review_case_priority"},
    ),
    "first_page": (partial(list_page, query=QueueQuery()), {"review_case_priority"}),
    "second_page": (list_second, {"review_case_priority"}),
    "escalated": (
        partial(list_page, query=QueueQuery(status=CaseStatus.ESCALATED)),
        {"review_case_escalated"},
    ),
    "of_a_reason": (partial(list_page, query=QueueQuery(reason="threat")), {"review_case_priority"}),
    "count": (lambda store: store.reading.count_cases(10_001), set()),
    "ranked_again": (rank_again, {"review_case_priority"}),
}
BY_INDEX: dict[str, tuple[Ask, set[str]]] = {
    "leased_by": (partial(list_page, query=QueueQuery(leased_by="m1")), {"lease_log_moderator"}),
    "take_in": (take_in, {"review_case_target", "review_case_decided", "report_pkey"}),
    "decide": (decide, {"review_case_pkey", "lease_log_pkey"}),
    "reopen": (lambda store: store.reopen(decide(store), "eve"), {"review_case_target"}),
    "extend": (extend, {"review_case_pkey", "lease_log_pkey"}),
    "release": (release, {"review_case_pkey", "lease_log_pkey"}),
    "one": (lambda store: store.read(decide(store)), {"review_case_pkey", "report_case"}),
    "count_outcomes": (count_outcomes, {"decision_due", "report_case", "report_reporter"}),
    "gather_again": (gather_again, {"review_case_pkey", "report_case", "reporter_tally_pkey"}),
    "backlog": (
        partial(ask_statistics, name="read_backlog"),
        {"review_case_deadline", "review_case_escalated", "decision_time"},
    ),
    "flow": (partial(ask_statistics, name="read_flow"), {"review_case_pkey", "decision_time"}),
    "slice": (
        partial(ask_statistics, name="read_slice"),
        {"review_case_blind", "review_case_slice", "lease_log_floor"},
    ),
}


def explain_all(store: CaseStore, ask: Ask) -> list[str]:
    """How each statement that this sends is answered, of those that read."""
    with record_statements(TABLES) as statements:
        ask(store)
    assert statements
    with store.database.read() as connection:
        return [
            step
            for statement, parameters in statements
            for step in explain(connection, statement, parameters, TABLES)
        ]


def check(store: CaseStore, steps: list[str], wanted: set[str]) -> None:
    assert [step for step in steps if "INDEX" not in step and step != SORT] == []
    if store.database.is_embedded:  # where a primary key has another name
        wanted = {name for name in wanted if not name.endswith("_pkey")}
    assert {name for name in wanted if not any(name in step for step in steps)} == set()


@pytest.mark.parametrize("question", IN_ORDER)
def test_it_reads_an_index_in_its_order(store: CaseStore, question: str) -> None:
    ask, wanted = IN_ORDER[question]
    steps = explain_all(store, ask)
    check(store, steps, wanted)
    assert SORT not in steps


@pytest.mark.parametrize("question", BY_INDEX)
def test_it_reads_by_index(store: CaseStore, question: str) -> None:
    ask, wanted = BY_INDEX[question]
    check(store, explain_all(store, ask), wanted)


def test_cases_of_decisions_are_looked_up_one_by_one(store: CaseStore) -> None:
    steps = explain_all(store, partial(ask_statistics, name="read_rulings"))
    read = [step for step in steps if "review_case" in step or "autoindex" in step]
    assert read
    assert [step for step in read if "INDEX" not in step] == []


def test_the_next_page_starts_where_the_last_one_ended(store: CaseStore) -> None:
    cursor = find_cursor(store)
    (step,) = explain_all(store, partial(list_page, query=QueueQuery(cursor=cursor)))
    assert re.search(r"\(priority, ?case_id\) ?< ?\(\?,\?\)|ROW\(priority, case_id\) < ROW\(", step), step


def test_what_partial_indexes_ask_for_is_sent_as_literals(store: CaseStore) -> None:
    with record_statements(TABLES) as statements:
        for ask, _ in (*IN_ORDER.values(), *BY_INDEX.values()):
            ask(store)
    bound = re.compile(r"\b(status|blind|is_due) *(=|<=|>=|<|>|IS) *[%?:]")
    asked = [statement.partition(" WHERE ")[2] for statement, _ in statements]
    assert [statement for statement in asked if bound.search(statement)] == []


def test_a_lease_stays_in_its_page(store: CaseStore) -> None:
    changed = {"lease_until", "leased_by", "lease_no"}
    assert [index.name for index in review_case.indexes if changed & set(index.columns.keys())] == []
    if not store.database.is_embedded:
        before = count_updates(store)
        n_leased = sum(len(store.lease(f"h{number}", 100)) for number in range(5))
        updated, in_page = (after - was for after, was in zip(count_updates(store), before, strict=True))
        assert updated == n_leased == 500
        assert in_page > 0.95 * updated


def count_updates(store: CaseStore) -> tuple[int, int]:
    """How many rows of cases were updated until now, and how many of these within their page."""
    store.database.close()  # a connection that ends tells what it has done
    time.sleep(0.5)
    with store.database.read() as connection:
        row = connection.execute(
            text("SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'review_case'")
        ).one()
    return row.n_tup_upd, row.n_tup_hot_upd
