"""Migrations: forward, back, at once from several processes, and against tables of a newer program."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import bindparam, text

from flagrank.storage.dialect import Moment
from flagrank.storage.engine import Database, open_database
from flagrank.storage.model_registry import StoredModelRegistry
from flagrank.storage.schema import (
    KNOWN,
    NEWEST,
    SchemaStatus,
    check_schema,
    downgrade_schema,
    read_schema_status,
    upgrade_schema,
)
from flagrank.storage.tables import metadata
from flagrank.triage.audit import Change
from flagrank.triage.errors import DatabaseRefused
from flagrank.triage.model_registry import ModelRole, Publication, make_assignment
from tests.task_store import TaskStore

ANN = Change("user:ann")


@pytest.fixture
def empty(url: str) -> Iterator[Database]:
    """A database without tables."""
    database = open_database(url)
    downgrade_schema(database, None)
    yield database
    database.close()


def set_version(database: Database, version: str) -> None:
    with database.write() as (connection, _):
        connection.execute(text("UPDATE alembic_version SET version_num = :version"), {"version": version})


def test_the_migrations_are_those_that_the_program_knows() -> None:
    config = Config()
    config.set_main_option("script_location", "src/flagrank/storage/migrations")
    revisions = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert tuple(reversed(revisions)) == KNOWN
    assert KNOWN[-1] == NEWEST


def test_the_tables_are_those_that_the_statements_expect(database: Database) -> None:
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, metadata) == []


def test_an_empty_database_is_refused_then_upgraded_then_used(empty: Database) -> None:
    assert read_schema_status(empty) == SchemaStatus(None, NEWEST)
    with pytest.raises(DatabaseRefused, match=r"no tables.*flagrank db upgrade"):
        check_schema(empty)
    assert upgrade_schema(empty) == SchemaStatus(None, NEWEST)
    check_schema(empty)
    TaskStore(empty).submit()


def test_an_upgrade_of_what_is_current_changes_nothing(database: Database) -> None:
    TaskStore(database).submit()
    assert upgrade_schema(database).is_current
    assert TaskStore(database).counts() == {"queued": 1}


def test_tables_of_a_newer_program_are_refused_and_left_alone(database: Database) -> None:
    set_version(database, "9999")
    for use in (check_schema, upgrade_schema, lambda one: downgrade_schema(one, None)):
        with pytest.raises(DatabaseRefused, match="9999, newer than this flagrank"):
            use(database)
    assert read_schema_status(database) == SchemaStatus("9999", NEWEST)


def test_newer_tables_that_still_serve_this_program_are_used_and_left_alone(database: Database) -> None:
    set_version(database, f"9999_from_{NEWEST[:4]}")
    check_schema(database)
    assert upgrade_schema(database).still_serves
    TaskStore(database).submit()
    with pytest.raises(DatabaseRefused, match="newer than this flagrank"):
        downgrade_schema(database, None)
    assert read_schema_status(database) == SchemaStatus(f"9999_from_{NEWEST[:4]}", NEWEST)


@pytest.mark.parametrize("version", ["9999", "9999_from_0002", "9999_from_", "0002_from_0001_x", "abcdef"])
def test_tables_that_do_not_say_that_they_serve_this_program_are_refused(version: str) -> None:
    status = SchemaStatus(version, "0001")
    assert (status.is_known, status.still_serves, status.is_usable) == (False, False, False)


@pytest.mark.parametrize("version", ["0009_from_0001", "0009_from_0002"])
def test_tables_serve_every_program_from_the_one_that_they_name_on(version: str) -> None:
    assert SchemaStatus(version, "0002_from_0001").is_usable


def test_without_tables_a_statement_says_what_to_do(empty: Database) -> None:
    with pytest.raises(DatabaseRefused, match="flagrank db upgrade"):
        TaskStore(empty).submit()


def test_processes_that_upgrade_at_once_wait_for_each_other(empty: Database, url: str) -> None:
    code = (
        "import sys; from flagrank.storage.engine import open_database; "
        "from flagrank.storage.schema import upgrade_schema; "
        "print(upgrade_schema(open_database(sys.argv[1])).current)"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", code, url], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    said = sorted(process.communicate(timeout=60)[0].strip() for process in started)
    assert said == sorted([*[NEWEST] * 3, "None"])
    check_schema(empty)


@pytest.fixture
def older(empty: Database) -> Database:
    """A database as the version before left it, with a champion, as that version wrote it."""
    upgrade_schema(empty)
    downgrade_schema(empty, "0001")
    publish_as_before(empty, 1, "champion")
    publish_as_before(empty, 2, "none")
    return empty


def publish_as_before(database: Database, version: int, role: str) -> None:
    """The statements of the version before, which knows no other columns."""
    with database.write() as (connection, now):
        values = {"version": version, "role": role, "sha256": f"{version:064}", "at": now}
        connection.execute(text("INSERT INTO artifact (sha256, size) VALUES (:sha256, 0)"), values)
        connection.execute(
            text(
                "INSERT INTO model (version, name, role, sha256, published_at, metrics) "
                "VALUES (:version, 'old', :role, :sha256, :at, :metrics)"
            ).bindparams(bindparam("at", type_=Moment)),
            values | {"metrics": b"{}"},
        )


def test_what_stood_before_the_upgrade_stands_after_it_and_after_going_back(older: Database) -> None:
    before = TaskStore(older)
    assert upgrade_schema(older).current == "0001"
    task_id = before.submit()[0]
    registry = StoredModelRegistry(older)
    assert [(one.version, str(one.role)) for one in registry.list_models()] == [(2, "none"), (1, "champion")]
    registry.promote(2, ANN)
    registry.give_role(1, make_assignment(ModelRole.CHALLENGER, 0.5), ANN)
    downgrade_schema(older, "0001")
    with older.read() as connection:
        roles = connection.execute(text("SELECT version, role FROM model ORDER BY version")).all()
        tasks = connection.execute(text("SELECT count(*) FROM task")).scalar_one()
    assert [tuple(row) for row in roles] == [(1, "none"), (2, "champion")]
    assert tasks == 1
    upgrade_schema(older)
    assert str(before.status(task_id)) == "queued"


def test_the_version_before_goes_on_working_on_the_new_tables(older: Database) -> None:
    """It reads every role, for it would stumble over words that it does not know."""
    upgrade_schema(older)
    registry = StoredModelRegistry(older)
    registry.give_role(2, make_assignment(ModelRole.CHALLENGER, 0.5), ANN)
    with older.read() as connection:
        words = set(connection.scalars(text("SELECT role FROM model")))
    assert words <= {"champion", "none"}
    publish_as_before(older, 3, "none")
    with older.write() as (connection, _):
        connection.execute(text("UPDATE model SET role = 'none' WHERE version = 1"))
        connection.execute(text("UPDATE model SET role = 'champion' WHERE version = 2"))
    active = registry.read_active()
    assert active.champion is not None
    assert (active.champion.version, active.challenger) == (2, None)
    assert registry.publish(Publication("new", b"new", {}), ANN).model.version == 4
    registry.promote(3, ANN)
    before = registry.read_champion_before()
    assert before is not None
    assert before.version == 2
