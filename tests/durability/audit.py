"""What the database itself notes of tasks, by triggers: each completion, each claim of what another held."""

from collections import defaultdict

from sqlalchemy import create_engine, select, text
from sqlalchemy.engine import Engine, make_url

from flagrank.storage.case_rows import decode_evidence
from flagrank.storage.case_tables import IS_UNDECIDED, report, review_case
from flagrank.storage.engine import open_database
from flagrank.storage.tables import task
from flagrank.storage.task_reading import StoredTaskReading
from flagrank.triage.case import CaseReport, Voice, gather_evidence
from flagrank.triage.task import TaskStatus

_TABLES = (
    "CREATE TABLE audit_completed (task_id TEXT NOT NULL)",
    "CREATE TABLE audit_taken (task_id TEXT NOT NULL)",
)
_SQLITE = (
    """CREATE TRIGGER note_completed AFTER UPDATE ON task WHEN NEW.state = 2
       BEGIN INSERT INTO audit_completed VALUES (hex(NEW.task_id)); END""",
    # Its clock is one of milliseconds.
    """CREATE TRIGGER note_taken AFTER UPDATE ON task
        WHEN NEW.lease_no > OLD.lease_no AND OLD.state = 1
          AND OLD.lease_until > (julianday('now') - 2440587.5) * 86400000000 + 5000
        BEGIN INSERT INTO audit_taken VALUES (hex(NEW.task_id)); END""",
)
_POSTGRESQL = (
    """CREATE FUNCTION note_task() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN
         IF NEW.state = 2 THEN INSERT INTO audit_completed VALUES (NEW.task_id::text); END IF;
         IF NEW.lease_no > OLD.lease_no AND OLD.state = 1 AND OLD.lease_until > clock_timestamp() THEN
           INSERT INTO audit_taken VALUES (NEW.task_id::text);
         END IF;
         RETURN NULL;
       END $$""",
    "CREATE TRIGGER note_task AFTER UPDATE ON task FOR EACH ROW EXECUTE FUNCTION note_task()",
)


def install_audit(url: str) -> None:
    engine = _open(url)
    with engine.begin() as connection:
        own = _SQLITE if engine.dialect.name == "sqlite" else _POSTGRESQL
        for statement in (*_TABLES, *own):
            connection.execute(text(statement))
    engine.dispose()


def check_audit(url: str) -> int:
    """Every task of the database was completed once, was never held by two, and is counted; how many."""
    database = open_database(url)
    counts = {status: n for status, n in StoredTaskReading(database).count_tasks().by_status.items() if n}
    database.close()
    engine = _open(url)
    with engine.connect() as connection:
        n_tasks = connection.scalar(text("SELECT count(*) FROM task"))
        completed = connection.scalars(text("SELECT task_id FROM audit_completed")).all()
        taken = connection.scalar(text("SELECT count(*) FROM audit_taken"))
        without_results = connection.scalar(
            text(
                "SELECT count(*) FROM task "
                "WHERE scores IS NULL OR priorities IS NULL OR model_version IS NULL"
            )
        )
    engine.dispose()
    assert len(completed) == len(set(completed)) == n_tasks
    assert counts == {TaskStatus.SUCCEEDED: n_tasks}, (counts, n_tasks)
    assert taken == 0
    assert without_results == 0
    return len(completed)


def _open(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    return create_engine(parsed)


def check_cases(url: str) -> int:
    """Every report of every task is in a case, once, and counted there, once; how many there are."""
    database = open_database(url)
    with database.read() as connection:
        sent = list(connection.scalars(select(task.c.task_id)))  # of which each has one report, of its name
        filed = connection.execute(select(report)).all()
        evidence = {
            row.case_id: decode_evidence(row.evidence)
            for row in connection.execute(select(review_case.c.case_id, review_case.c.evidence))
        }
        undecided = list(connection.scalars(select(review_case.c.join_key).where(IS_UNDECIDED)))
    database.close()
    assert sorted(row.report_id for row in filed) == sorted(sent)
    targets = [target for target in undecided if target is not None]
    assert len(targets) == len(set(targets))
    reports: dict[str, list[CaseReport]] = defaultdict(list)
    for row in filed:
        counted = CaseReport(
            voice=Voice(row.log_odds, row.weight, row.record),
            received_at=row.received_at,
            made_at=row.made_at,
            reporter=row.reporter_id,
            reason=row.reason,
            abuse_type=row.abuse_type,
            exposure=row.exposure,
        )
        reports[row.case_id].append(counted)
    assert {case_id: gather_evidence(counted) for case_id, counted in reports.items()} == evidence
    return len(filed)
