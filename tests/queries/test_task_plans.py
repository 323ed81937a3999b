"""With a hundred thousand finished tasks, each hot query reads what it needs by an index."""

from collections.abc import Callable, Iterator
from functools import partial

import pytest
from sqlalchemy import text

from flagrank.storage.dialect import insert_rows
from flagrank.storage.engine import Database, open_database
from flagrank.storage.tables import State, task, task_reports
from flagrank.storage.task_rows import submitted_row
from flagrank.triage.errors import FlagrankError
from flagrank.triage.task import ClaimLimit, Cursor, Receipt, TaskQuery, TaskStatus
from tests.databases import KINDS, make_databases
from tests.queries.statements import SORT, explain, record_statements
from tests.task_store import HOUR, TaskStore, ago, identifiers, key, submission

FINISHED = 100_000
TABLES = ("task", "task_reports")
BATCH = 5_000

Ask = Callable[[TaskStore], object]


@pytest.fixture(scope="module", params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TaskStore]:
    with make_databases(request.param, tmp_path_factory.mktemp("databases")) as make_url:
        database = open_database(make_url())
        fill(database)
        yield TaskStore(database)
        database.close()


def fill(database: Database) -> None:
    """Finished tasks of a month, one in a hundred failed; some are pending, some run."""
    for first in range(0, FINISHED, BATCH):
        rows = [
            submitted_row(submission(key=key(f"k{n}")), ago(30 * 86_400 - 10 * n))
            for n in range(first, first + BATCH)
        ]
        for number, row in enumerate(rows):
            row["state"] = int(State.SUCCEEDED if number % 100 else State.FAILED)
            row["finished_at"] = row["submitted_at"]
        with database.write() as (connection, _):
            insert_rows(connection, task, rows)
            insert_rows(
                connection, task_reports, [{"task_id": row["task_id"], "reports": b"[]"} for row in rows]
            )
    store = TaskStore(database)
    store.submit(100)
    store.claim()
    store.submit(500)
    if not database.is_embedded:  # SQLite plans without ever having counted
        with database.write() as (connection, _):
            connection.execute(text("ANALYZE"))


def claim(store: TaskStore) -> object:
    return store.claims.release([one.lease for one in store.claim(ClaimLimit(50, 1_000))])


def complete(store: TaskStore) -> object:
    return store.finish(store.claim(ClaimLimit(50, 1_000)))


def submit_again(store: TaskStore) -> object:
    answers: list[Receipt | FlagrankError] = store.intake.submit([submission(key=key("k77"))])
    return answers


def list_status(store: TaskStore, status: TaskStatus) -> object:
    return store.reading.list_tasks(TaskQuery(statuses=frozenset({status})))


CURSOR = Cursor(ago(86_400), identifiers.make()[0])
QUESTIONS: dict[str, tuple[Ask, set[str]]] = {
    "claim": (claim, {"task_due", "task_leased"}),
    "complete": (complete, {"task_due"}),
    "seconds_until_due": (lambda store: store.claims.seconds_until_due(), {"task_due", "task_leased"}),
    "count": (lambda store: store.reading.count_tasks(), {"task_due"}),
    "first_page": (lambda store: store.reading.list_tasks(TaskQuery()), {"task_listed"}),
    "later_page": (lambda store: store.reading.list_tasks(TaskQuery(cursor=CURSOR)), {"task_listed"}),
    "since": (
        lambda store: store.reading.list_tasks(TaskQuery(since=ago(99), until=ago(9))),
        {"task_listed"},
    ),
    **{f"page_of_{status}": (partial(list_status, status=status), set()) for status in TaskStatus},
    "one": (lambda store: store.reading.read_task(CURSOR.task_id), set()),
    "final": (lambda store: store.reading.find_final([CURSOR.task_id]), set()),
    "idempotency_key": (submit_again, {"task_idempotency"}),
    "retention": (lambda store: store.retention.delete_finished(29 * 86_400, 100), {"task_finished"}),
    "extend": (
        lambda store: store.claims.extend([one.lease for one in store.claim(ClaimLimit(5, 9))], HOUR),
        set(),
    ),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_it_reads_by_index(store: TaskStore, question: str) -> None:
    ask, wanted = QUESTIONS[question]
    with record_statements(TABLES) as statements:
        ask(store)
    assert statements
    steps = []
    with store.database.read() as connection:
        for statement, parameters in statements:
            steps += explain(connection, statement, parameters, TABLES)
    assert [step for step in steps if "INDEX" not in step and step != SORT] == []
    if not store.database.is_embedded:  # SQLite takes another one at times, for the rows of one state
        assert {name for name in wanted if not any(name in step for step in steps)} == set()
