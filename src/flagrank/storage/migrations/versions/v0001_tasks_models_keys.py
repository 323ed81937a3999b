"""Tasks with their counters, published models, API keys."""

import sqlalchemy as sa
from alembic import op

from flagrank.storage.dialect import Identifier, Moment

revision = "0001"
down_revision = None

_VACUUM = {
    "autovacuum_vacuum_scale_factor": 0,
    "autovacuum_vacuum_threshold": 20_000,
    "autovacuum_vacuum_insert_scale_factor": 0,
    "autovacuum_vacuum_insert_threshold": 100_000,
    "autovacuum_analyze_scale_factor": 0,
    "autovacuum_analyze_threshold": 50_000,
}


def upgrade() -> None:
    """Make the tables."""
    _make_tasks()
    op.create_table(
        "task_count",
        sa.Column("slot", sa.SmallInteger, primary_key=True),
        sa.Column("state", sa.SmallInteger, primary_key=True),
        sa.Column("n", sa.BigInteger, nullable=False),
        postgresql_with={"fillfactor": 50},
    )
    op.create_table(
        "artifact",
        sa.Column("sha256", sa.Text, primary_key=True),
        sa.Column("size", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "artifact_part",
        sa.Column("sha256", sa.Text, sa.ForeignKey("artifact.sha256", ondelete="CASCADE"), primary_key=True),
        sa.Column("part_no", sa.Integer, primary_key=True),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "model",
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("sha256", sa.Text, sa.ForeignKey("artifact.sha256"), nullable=False, unique=True),
        sa.Column("published_at", Moment, nullable=False),
        sa.Column("metrics", sa.LargeBinary, nullable=False),
    )
    _make_partial_index("model_champion", "model", ["role"], "role = 'champion'", unique=True)
    op.create_table(
        "api_key",
        sa.Column("key_id", Identifier, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("moderator", sa.Text),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("revoked_at", Moment),
    )
    _make_partial_index("api_key_name", "api_key", ["name"], "revoked_at IS NULL", unique=True)


def downgrade() -> None:
    """Take them away."""
    for table in ("api_key", "model", "artifact_part", "artifact", "task_count", "task_reports", "task"):
        op.drop_table(table)


def _make_tasks() -> None:
    op.create_table(
        "task",
        sa.Column("task_id", Identifier, primary_key=True),
        sa.Column("state", sa.SmallInteger, nullable=False),
        sa.Column("priority", sa.SmallInteger, nullable=False),
        sa.Column("due_at", Moment, nullable=False),
        sa.Column("submitted_at", Moment, nullable=False),
        *(sa.Column(name, Moment) for name in ("run_at", "started_at", "finished_at")),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("failed_attempts", sa.Integer, nullable=False),
        sa.Column("group_size", sa.Integer, nullable=False),
        sa.Column("lease_no", sa.BigInteger, nullable=False),
        sa.Column("lease_until", Moment),
        sa.Column("n_reports", sa.Integer, nullable=False),
        sa.Column("enqueue", sa.Boolean, nullable=False),
        sa.Column("scores", sa.LargeBinary),
        sa.Column("priorities", sa.LargeBinary),
        sa.Column("model_name", sa.Text),
        sa.Column("model_version", sa.Text),
        sa.Column("error", sa.LargeBinary),
        sa.Column("owner", sa.Text),
        sa.Column("idempotency_key", sa.Text),
        sa.Column("fingerprint", sa.LargeBinary),
        postgresql_with=_VACUUM,
    )
    op.create_table(
        "task_reports",
        sa.Column("task_id", Identifier, primary_key=True),
        sa.Column("reports", sa.LargeBinary, nullable=False),
        postgresql_with=_VACUUM,
    )
    op.create_index("task_listed", "task", ["state", "submitted_at", "task_id"])
    _make_partial_index("task_due", "task", ["priority", "due_at", "task_id"], "state + 0 = 0")
    _make_partial_index("task_leased", "task", ["lease_until", "task_id"], "state + 0 = 1")
    _make_partial_index("task_finished", "task", ["finished_at", "task_id"], "state >= 2")
    _make_partial_index(
        "task_idempotency", "task", ["owner", "idempotency_key"], "idempotency_key IS NOT NULL", unique=True
    )


def _make_partial_index(
    name: str, table: str, columns: list[str], condition: str, *, unique: bool = False
) -> None:
    where = sa.text(condition)
    op.create_index(name, table, columns, unique=unique, postgresql_where=where, sqlite_where=where)
