"""While one old snapshot holds vacuum up, a claim does not read again what earlier ones have left behind."""

import json
import time
from collections.abc import Iterator

import psycopg
import pytest

from flagrank.storage.engine import open_database
from flagrank.storage.task_claims import StoredTaskClaims
from flagrank.triage.task import ClaimLimit
from tests.databases import migrate
from tests.postgres_server import WHEEL_18, run_server
from tests.queries.statements import record_statements
from tests.task_store import HOUR, TaskStore

GROUP = ClaimLimit(tasks=100, reports=100)
LEASE_SECONDS = 5.0  # longer than a claim looks back, for a submission that took long to commit


@pytest.fixture
def store() -> Iterator[TaskStore]:
    with run_server(WHEEL_18) as server:
        url = server.create_database("held")
        migrate(url)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            connection.execute("SELECT count(*) FROM task")
            database = open_database(url)
            yield TaskStore(database)
            database.close()


def pass_group(store: TaskStore, claims: StoredTaskClaims) -> None:
    store.submit(GROUP.tasks)
    claimed = claims.claim(GROUP, LEASE_SECONDS)
    assert len(claimed) == GROUP.tasks
    store.finish(claimed)


def count_pages(store: TaskStore, claims: StoredTaskClaims) -> int:
    """How many pages the search of a claim reads that finds nothing."""
    with record_statements() as statements:
        assert claims.claim(GROUP, HOUR) == []
    pages = 0
    with store.database.read() as connection:
        for statement, parameters in statements:
            explained = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}"
            (answer,) = connection.exec_driver_sql(explained, parameters).one()
            (plan,) = json.loads(answer) if isinstance(answer, str) else answer
            pages += plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"]
    return pages


def test_a_claim_starts_where_the_last_one_ended(store: TaskStore) -> None:
    claims = StoredTaskClaims(store.database, full_scan_seconds=HOUR)  # the first claim looks everywhere
    for _ in range(40):
        pass_group(store, claims)
    time.sleep(LEASE_SECONDS)
    pass_group(store, claims)
    resumed = count_pages(store, claims)
    everywhere = count_pages(store, StoredTaskClaims(store.database))
    assert 10 * resumed < everywhere
