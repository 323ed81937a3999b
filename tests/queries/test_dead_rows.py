"""While one old snapshot holds vacuum up, no hot query passes over the rows that have died meanwhile."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from flagrank.settings import load_default_policy
from flagrank.storage.engine import Database, open_database
from flagrank.storage.task_claims import StoredTaskClaims
from flagrank.triage.task import ClaimedTask, ClaimLimit
from tests.databases import migrate
from tests.postgres_server import WHEEL_18, run_server
from tests.queries.statements import record_statements
from tests.task_store import HOUR, TaskStore, completion

TABLES = ("task", "task_reports", "task_count")
GROUPS = 40
GROUP = ClaimLimit(tasks=100, reports=100)
FEW = ClaimLimit(tasks=3, reports=3)
LEASE_SECONDS = 5.0  # longer than a claim looks back, for a submission that took long to commit
MANY_PAGES = 300
FEW_PAGES = 50


@pytest.fixture(scope="module")
def store() -> Iterator[TaskStore]:
    """Thousands of tasks have passed; a worker has just claimed the last one."""
    with run_server(WHEEL_18) as server:
        url = server.create_database("held")
        migrate(url)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            connection.execute("SELECT count(*) FROM task")
            database = open_database(url)
            store = TaskStore(database)
            store.claims = StoredTaskClaims(
                database, load_default_policy, full_scan_seconds=HOUR
            )  # the first looks everywhere
            for _ in range(GROUPS):
                pass_group(store)
            with database.write() as (ours, _):
                ours.execute(text("ANALYZE task"))  # it finds no task that waits or runs
            time.sleep(LEASE_SECONDS)
            pass_group(store)
            yield store
            database.close()


def pass_group(store: TaskStore) -> None:
    store.submit(GROUP.tasks)
    claimed = store.claims.claim(GROUP, LEASE_SECONDS)
    assert len(claimed) == GROUP.tasks
    store.finish(claimed)


def count_pages(database: Database, ask: Callable[[], object]) -> int:
    """How many pages are read by the statements that this sends, if they were sent once more."""
    with record_statements(TABLES) as statements:
        ask()
    return sum(explain(database, *one) for one in statements if not one[0].startswith("INSERT"))


def explain(database: Database, statement: str, parameters: Any) -> int:  # noqa: ANN401 - the driver's
    with database.write() as (connection, _):
        savepoint = connection.begin_nested()
        explained = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}"
        (answer,) = connection.exec_driver_sql(explained, parameters).one()
        savepoint.rollback()
    (plan,) = json.loads(answer) if isinstance(answer, str) else answer
    pages: int = plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"]
    return pages


def claim_few(store: TaskStore) -> list[ClaimedTask]:
    store.submit(FEW.tasks)
    claimed = store.claims.claim(FEW, HOUR)
    assert len(claimed) == FEW.tasks
    return claimed


def test_looking_everywhere_reads_all_that_died(store: TaskStore) -> None:
    everywhere = StoredTaskClaims(store.database, load_default_policy)
    assert count_pages(store.database, lambda: everywhere.claim(FEW, HOUR)) > MANY_PAGES


ASKED: dict[str, Callable[[TaskStore, list[ClaimedTask]], object]] = {
    "claim": lambda store, _: store.claims.claim(FEW, HOUR),
    "seconds_until_due": lambda store, _: store.claims.seconds_until_due(),
    "extend": lambda store, held: store.claims.extend([one.lease for one in held], HOUR),
    "complete": lambda store, held: store.claims.complete([completion(one) for one in held]),
    "fail": lambda store, held: store.fail(held),
    "release": lambda store, held: store.claims.release([one.lease for one in held]),
    "cancel": lambda store, _: store.changes.cancel(store.submit()[0]),
    "read": lambda store, held: store.read(held[0].lease.task_id),
    "wait": lambda store, held: store.reading.find_final([one.lease.task_id for one in held]),
}


@pytest.mark.parametrize("asked", ASKED)
def test_it_reads_its_own_rows_only(store: TaskStore, asked: str) -> None:
    held = claim_few(store)
    ask = ASKED[asked]
    assert count_pages(store.database, lambda: ask(store, held)) < FEW_PAGES


def test_a_retry_reads_its_own_row_only(store: TaskStore) -> None:
    held = claim_few(store)
    store.fail(held)
    retried = held[0].lease.task_id
    assert count_pages(store.database, lambda: store.changes.retry(retried)) < FEW_PAGES
