"""The tables as the newest migration leaves them; a test compares the two."""

from datetime import datetime
from enum import IntEnum

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    TypedColumns,
    literal_column,
)
from sqlalchemy.sql.elements import ColumnElement

from flagrank.storage.dialect import Identifier, Moment, RowNumber


class State(IntEnum):
    """What is stored of a task's status; pending is scheduled or queued, by the clock."""

    PENDING = 0
    RUNNING = 1
    SUCCEEDED = 2
    FAILED = 3
    CANCELLED = 4


FINAL_STATES = (State.SUCCEEDED, State.FAILED, State.CANCELLED)

metadata = MetaData()


class TaskColumns(TypedColumns):
    """One row a task, from submission to retention."""

    task_id = Column(Identifier, primary_key=True)
    state = Column(SmallInteger, nullable=False)
    priority = Column(SmallInteger, nullable=False)  # 0 goes first
    due_at: Column[datetime] = Column(Moment, nullable=False)
    submitted_at: Column[datetime] = Column(Moment, nullable=False)
    run_at: Column[datetime | None] = Column(Moment)
    started_at: Column[datetime | None] = Column(Moment)
    finished_at: Column[datetime | None] = Column(Moment)
    attempts = Column(Integer, nullable=False)
    failed_attempts = Column(Integer, nullable=False)
    group_size = Column(
        Integer, nullable=False
    )  # of the latest claim; it bounds the next one; 0 bounds nothing
    lease_no = Column(BigInteger, nullable=False)
    lease_until: Column[datetime | None] = Column(Moment)
    n_reports = Column(Integer, nullable=False)
    enqueue = Column(Boolean, nullable=False)
    scores: Column[bytes | None] = Column(LargeBinary)  # (n_reports,) float64, little endian
    priorities: Column[bytes | None] = Column(LargeBinary)  # the same
    model_name: Column[str | None] = Column(Text)
    model_version: Column[str | None] = Column(Text)
    challenger_name: Column[str | None] = Column(Text)
    challenger_version: Column[str | None] = Column(Text)
    challenger_reports: Column[bytes | None] = Column(LargeBinary)  # indices, uint32, little endian
    error: Column[bytes | None] = Column(LargeBinary)  # JSON of a TaskError
    owner: Column[str | None] = Column(Text)
    idempotency_key: Column[str | None] = Column(Text)
    fingerprint: Column[bytes | None] = Column(LargeBinary)


class TaskReportsColumns(TypedColumns):
    """The reports of a task, apart from it: SQLite would write them again with each change of the task."""

    task_id = Column(Identifier, primary_key=True)
    reports = Column(LargeBinary, nullable=False)  # the JSON array


# PostgreSQL's vacuum must come by the number of dead rows, not by their share of ten million.
VACUUM = {
    "autovacuum_vacuum_scale_factor": 0,
    "autovacuum_vacuum_threshold": 20_000,
    "autovacuum_vacuum_insert_scale_factor": 0,
    "autovacuum_vacuum_insert_threshold": 100_000,
    "autovacuum_analyze_scale_factor": 0,
    "autovacuum_analyze_threshold": 50_000,
}

task = Table("task", metadata, TaskColumns, postgresql_with=VACUUM)
task_reports = Table("task_reports", metadata, TaskReportsColumns, postgresql_with=VACUUM)


def is_state(state: State) -> ColumnElement[bool]:
    """Whether a task is in this state, for lists."""
    return task.c.state == literal_column(str(int(state)))


def is_open_as(state: State) -> ColumnElement[bool]:
    """The same of a state that is not final, for the worker's indexes: no other one knows these words.

    Of the state alone PostgreSQL may think that few rows have it, take `task_listed`, and pass over all that
    have left it since vacuum: claims of 1.6 ms of CPU grew to 109 while 500,000 tasks passed (measured).
    Literals, since a bound value would not match a partial index.
    """
    return task.c.state + literal_column("0") == literal_column(str(int(state)))


IS_FINAL = task.c.state >= literal_column(str(int(min(FINAL_STATES))))

_HAS_KEY = task.c.idempotency_key.is_not(None)
ONE_TASK_A_KEY = Index(
    "task_idempotency",
    *(task.c.owner, task.c.idempotency_key),
    unique=True,
    postgresql_where=_HAS_KEY,
    sqlite_where=_HAS_KEY,
)
_INDEXES = (
    Index("task_listed", task.c.state, task.c.submitted_at, task.c.task_id),
    Index(
        "task_due",
        *(task.c.priority, task.c.due_at, task.c.task_id),
        postgresql_where=is_open_as(State.PENDING),
        sqlite_where=is_open_as(State.PENDING),
    ),
    Index(
        "task_leased",
        *(task.c.lease_until, task.c.task_id),
        postgresql_where=is_open_as(State.RUNNING),
        sqlite_where=is_open_as(State.RUNNING),
    ),
    Index(
        "task_finished",
        *(task.c.finished_at, task.c.task_id),
        postgresql_where=IS_FINAL,
        sqlite_where=IS_FINAL,
    ),
)


class TaskCountColumns(TypedColumns):
    """How many tasks are in a final state: the sum over all slots, each of which may be negative."""

    slot = Column(SmallInteger, primary_key=True)  # a writer keeps to one, so that writers seldom meet
    state = Column(SmallInteger, primary_key=True)
    n = Column(BigInteger, nullable=False)


task_count = Table("task_count", metadata, TaskCountColumns, postgresql_with={"fillfactor": 50})


class ArtifactColumns(TypedColumns):
    """The bytes of something published, by their hash."""

    sha256 = Column(Text, primary_key=True)  # hex
    size = Column(BigInteger, nullable=False)


artifact = Table("artifact", metadata, ArtifactColumns)


class ArtifactPartColumns(TypedColumns):
    """A few megabytes of an artifact, so that neither side ever holds it twice."""

    sha256 = Column(Text, ForeignKey("artifact.sha256", ondelete="CASCADE"), primary_key=True)
    part_no = Column(Integer, primary_key=True)
    content = Column(LargeBinary, nullable=False)


artifact_part = Table("artifact_part", metadata, ArtifactPartColumns)


class ModelColumns(TypedColumns):
    """A published model."""

    version = Column(Integer, primary_key=True, autoincrement=False)
    name = Column(Text, nullable=False)
    role = Column(Text, nullable=False)
    sha256 = Column(Text, ForeignKey("artifact.sha256"), nullable=False, unique=True)
    published_at: Column[datetime] = Column(Moment, nullable=False)
    metrics = Column(LargeBinary, nullable=False)  # JSON


model = Table("model", metadata, ModelColumns)

_IS_CHAMPION = model.c.role == literal_column("'champion'")
Index("model_champion", model.c.role, unique=True, postgresql_where=_IS_CHAMPION, sqlite_where=_IS_CHAMPION)


class ModelTrialColumns(TypedColumns):
    """A model at work beside the champion; not in `model.role`, whose words an older flagrank all knows."""

    version = Column(Integer, ForeignKey("model.version", ondelete="CASCADE"), primary_key=True)
    role = Column(Text, nullable=False, unique=True)
    share: Column[float | None] = Column(Double)


model_trial = Table("model_trial", metadata, ModelTrialColumns)


class ChampionLineColumns(TypedColumns):
    """Champions in the order of their promotions; a rollback takes the last away."""

    place = Column(Integer, primary_key=True, autoincrement=False)
    version = Column(Integer, ForeignKey("model.version", ondelete="CASCADE"), nullable=False)


champion_line = Table("champion_line", metadata, ChampionLineColumns)


class ShadowLogColumns(TypedColumns):
    """Sampled reports as champion and shadow scored them: two numbers, nothing of the report."""

    log_id = Column(RowNumber, primary_key=True)
    at: Column[datetime] = Column(Moment, nullable=False)
    champion_version = Column(Integer, nullable=False)
    shadow_version = Column(Integer, ForeignKey("model.version", ondelete="CASCADE"), nullable=False)
    champion_score = Column(Double, nullable=False)
    shadow_score = Column(Double, nullable=False)


shadow_log = Table("shadow_log", metadata, ShadowLogColumns)
Index("shadow_log_pair", shadow_log.c.shadow_version, shadow_log.c.champion_version, shadow_log.c.log_id)


class AuditColumns(TypedColumns):
    """Who changed what, when and why."""

    audit_id = Column(RowNumber, primary_key=True)
    at: Column[datetime] = Column(Moment, nullable=False)
    actor = Column(Text, nullable=False)
    action = Column(Text, nullable=False)
    subject = Column(Text, nullable=False)  # `model/3`
    before: Column[bytes | None] = Column(LargeBinary)  # JSON
    after: Column[bytes | None] = Column(LargeBinary)  # JSON
    reason: Column[str | None] = Column(Text)


audit = Table("audit", metadata, AuditColumns)
Index("audit_subject", audit.c.subject, audit.c.audit_id)
Index("audit_action", audit.c.action, audit.c.audit_id)


class ApiKeyColumns(TypedColumns):
    """An API key, in force until it is revoked; a revoked one keeps its row."""

    key_id = Column(Identifier, primary_key=True)
    name = Column(Text, nullable=False)
    digest = Column(LargeBinary, nullable=False, unique=True)
    scopes = Column(Text, nullable=False)  # words, separated by spaces
    moderator: Column[str | None] = Column(Text)
    created_at: Column[datetime] = Column(Moment, nullable=False)
    revoked_at: Column[datetime | None] = Column(Moment)


api_key = Table("api_key", metadata, ApiKeyColumns)

_IN_FORCE = api_key.c.revoked_at.is_(None)
ONE_KEY_A_NAME = Index(
    "api_key_name", api_key.c.name, unique=True, postgresql_where=_IN_FORCE, sqlite_where=_IN_FORCE
)


class PolicyColumns(TypedColumns):
    """A policy that was activated once, and the built-in one that it took the place of."""

    version = Column(Integer, primary_key=True, autoincrement=False)
    name = Column(Text, nullable=False)
    toml = Column(Text, nullable=False)
    sha256 = Column(Text, nullable=False, unique=True)  # of the text, hex
    activation = Column(Integer, nullable=False, unique=True)  # the highest is active
    activated_at: Column[datetime | None] = Column(Moment)
    activated_by: Column[str | None] = Column(Text)


policy = Table("policy", metadata, PolicyColumns)
