"""Old code on new tables and back: what only adds leaves servers at work, what takes away is refused."""

import os
import signal
from collections import Counter
from collections.abc import Sequence

from sqlalchemy import text

from flagrank.storage.engine import open_database
from flagrank.storage.schema import NEWEST
from tests.api.running_server import REPORT, RunningServer, running_server
from tests.cli.running import check_refusal, run
from tests.durability.audit import check_audit
from tests.durability.small_disks import find_tree

EXPANDED, CONTRACTED = f"9998_from_{NEWEST[:4]}", "9999_from_9998"
# What a later version may add to tables that this one writes.
ADDITIONS = (
    "ALTER TABLE task ADD COLUMN challenger TEXT",
    "ALTER TABLE task ADD COLUMN weight DOUBLE PRECISION DEFAULT 1 NOT NULL",
    "CREATE INDEX task_weight ON task (weight, task_id)",
    "CREATE TABLE future_table (case_id TEXT PRIMARY KEY)",
)
REMOVALS = (
    "DROP INDEX task_weight",
    "ALTER TABLE task DROP COLUMN weight",
    "ALTER TABLE task DROP COLUMN challenger",
    "DROP TABLE future_table",
)


def change_tables(url: str, statements: Sequence[str], version: str) -> None:
    """A migration to this version, in one transaction."""
    database = open_database(url)
    with database.write() as (connection, _):
        for statement in statements:
            connection.execute(text(statement))
        connection.execute(text("UPDATE alembic_version SET version_num = :version"), {"version": version})
    database.close()


def score(server: RunningServer, n_tasks: int = 10) -> None:
    accepted = [server.submit([REPORT]) for _ in range(n_tasks)]
    assert {answer.status for answer in accepted} == {202}
    for answer in accepted:
        assert server.get(f"{answer.headers['Location']}?wait=60").document["status"] == "succeeded"


def test_old_code_works_on_expanded_tables_and_refuses_contracted_ones(
    url: str, deaths: Counter[str]
) -> None:
    with running_server("--model", "demo", database_url=url) as server:
        score(server)
        change_tables(url, ADDITIONS, EXPANDED)
        score(server)
        _, worker = find_tree(server.process.pid)
        os.kill(worker, signal.SIGKILL)  # the next one looks at the tables when it starts
        deaths["commands"] += 1
        score(server)
    with running_server(database_url=url) as server:  # the version before, installed again
        score(server)
        change_tables(url, REMOVALS, NEWEST)  # what was added is taken back under it
        score(server)
    change_tables(url, (), CONTRACTED)
    said = (
        f"The database has tables of version {CONTRACTED}, newer than this flagrank knows ({NEWEST}). "
        "Install the flagrank that made them, or a later one."
    )
    for command in (("serve", "--port", "0"), ("worker",), ("db", "upgrade")):
        check_refusal(run(*command, database_url=url), said)
    assert check_audit(url) == 50
