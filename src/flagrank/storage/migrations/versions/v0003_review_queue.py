"""Cases, their reports, leases and decisions, what these say of reporters, and policies.

It only adds tables, so that the version before goes on working beside it; what that scores enters no case.
"""

import sqlalchemy as sa
from alembic import op

from flagrank.storage.dialect import Identifier, Moment

revision = "0003_from_0001"
down_revision = "0002_from_0001"

_VACUUM = {
    "autovacuum_vacuum_scale_factor": 0,
    "autovacuum_vacuum_threshold": 20_000,
    "autovacuum_vacuum_insert_scale_factor": 0,
    "autovacuum_vacuum_insert_threshold": 100_000,
    "autovacuum_analyze_scale_factor": 0,
    "autovacuum_analyze_threshold": 50_000,
}


def upgrade() -> None:
    """Make them."""
    _create_case()
    _create_report()
    _create_lease_log()
    _create_decision()
    _create_reporters()
    op.create_table(
        "policy",
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("name", "toml")),
        sa.Column("sha256", sa.Text, nullable=False, unique=True),
        sa.Column("activation", sa.Integer, nullable=False, unique=True),
        sa.Column("activated_at", Moment),
        sa.Column("activated_by", sa.Text),
    )


def downgrade() -> None:
    """Take them away."""
    for table in ("policy", "stale_case", "outcome_count", "reporter_group", "reporter_tally"):
        op.drop_table(table)
    for table in ("decision", "lease_log", "report", "review_case"):
        op.drop_table(table)


def _create_case() -> None:
    op.create_table(
        "review_case",
        sa.Column("case_id", Identifier, primary_key=True),
        *(sa.Column(name, sa.Text) for name in ("join_key", "reported_id", "content_id")),
        sa.Column("status", sa.SmallInteger, nullable=False),
        *(sa.Column(name, sa.Text) for name in ("abuse_type", "reason")),
        *(
            sa.Column(name, sa.Double, nullable=False)
            for name in ("severity", "exposure", "score", "priority")
        ),
        sa.Column("evidence", sa.LargeBinary, nullable=False),
        *(sa.Column(name, sa.Integer, nullable=False) for name in ("n_reports", "n_reporters")),
        *(sa.Column(name, Moment, nullable=False) for name in ("first_reported_at", "deadline_at")),
        sa.Column("policy_version", sa.Integer, nullable=False),
        sa.Column("blind", sa.Boolean, nullable=False),
        sa.Column("blind_q", sa.Double, nullable=False),
        sa.Column("lease_until", Moment),
        sa.Column("leased_by", sa.Text),
        sa.Column("lease_no", sa.BigInteger, nullable=False),
        sa.Column("decision_no", sa.Integer, nullable=False),
        sa.Column("decided_at", Moment),
        postgresql_with={**_VACUUM, "fillfactor": 85},
    )
    _index("review_case_target", "review_case", ["join_key"], "status <= 1", unique=True)
    _index("review_case_decided", "review_case", ["join_key", "decided_at"], "status >= 2")
    _index("review_case_priority", "review_case", ["priority", "case_id"], "status = 0")
    _index("review_case_escalated", "review_case", ["priority", "case_id"], "status = 1")
    _index(
        "review_case_deadline", "review_case", ["deadline_at", "case_id", "severity", "status"], "status = 0"
    )
    _index("review_case_blind", "review_case", ["case_id"], "status = 0 AND blind IS true")
    _index("review_case_slice", "review_case", ["case_id"], "status >= 2 AND blind IS true")


def _create_report() -> None:
    op.create_table(
        "report",
        sa.Column("report_id", sa.Text, primary_key=True),
        sa.Column("case_id", Identifier, nullable=False),
        sa.Column("reporter_id", sa.Text),
        *(sa.Column(name, Moment, nullable=False) for name in ("received_at", "made_at")),
        *(sa.Column(name, sa.Text) for name in ("reason", "abuse_type")),
        sa.Column("exposure", sa.Double),
        *(sa.Column(name, sa.Double, nullable=False) for name in ("score", "log_odds", "weight", "record")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("model_name", "model_version")),
        sa.Column("is_answered", sa.Boolean, nullable=False),
        sa.Column("fields", sa.LargeBinary, nullable=False),
        sa.Column("content_text", sa.Text),
        postgresql_with=_VACUUM,
    )
    op.create_index("report_case", "report", ["case_id", "reporter_id"])
    _index("report_reporter", "report", ["reporter_id", "received_at"], "reporter_id IS NOT NULL")


def _create_lease_log() -> None:
    op.create_table(
        "lease_log",
        sa.Column("case_id", Identifier, primary_key=True),
        sa.Column("lease_no", sa.BigInteger, primary_key=True, autoincrement=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("moderator", "draw")),
        *(sa.Column(name, sa.Double, nullable=False) for name in ("propensity", "severity", "priority")),
        *(sa.Column(name, Moment, nullable=False) for name in ("leased_at", "until")),
        sa.Column("ended_at", Moment),
        sa.Column("was_released", sa.Boolean, nullable=False),
        postgresql_with={**_VACUUM, "fillfactor": 85},
    )
    _index("lease_log_standing", "lease_log", ["until"], "ended_at IS NULL")
    _index("lease_log_floor", "lease_log", ["leased_at", "priority"], "draw = 'priority'")
    op.create_index("lease_log_moderator", "lease_log", ["moderator", "until"])


def _create_decision() -> None:
    op.create_table(
        "decision",
        sa.Column("case_id", Identifier, primary_key=True),
        sa.Column("decision_no", sa.Integer, primary_key=True, autoincrement=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("moderator", "verdict")),
        *(sa.Column(name, sa.Text) for name in ("reason", "note")),
        sa.Column("decided_at", Moment, nullable=False),
        sa.Column("lease_no", sa.BigInteger),
        sa.Column("reversed_at", Moment),
        *(sa.Column(name, sa.Text) for name in ("reversed_by", "reversal_reason")),
        *(sa.Column(name, sa.Boolean, nullable=False) for name in ("is_counted", "is_due")),
        postgresql_with=_VACUUM,
    )
    op.create_index("decision_time", "decision", ["decided_at"])
    _index("decision_due", "decision", ["decided_at"], "is_due IS true")


def _create_reporters() -> None:
    op.create_table(
        "reporter_tally",
        *(sa.Column(name, sa.Text, primary_key=True) for name in ("reporter_id", "reason")),
        *(sa.Column(name, sa.Double, nullable=False) for name in ("decided", "actioned")),
        *(sa.Column(name, Moment, nullable=False) for name in ("counted_at", "oldest_at")),
    )
    op.create_index("reporter_tally_oldest", "reporter_tally", ["oldest_at"])
    op.create_table(
        "reporter_group",
        sa.Column("reporter_id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("found_at", Moment, nullable=False),
    )
    op.create_index("reporter_group_name", "reporter_group", ["name"])
    op.create_table(
        "outcome_count",
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("reason", sa.Text, primary_key=True),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("decided", "actioned")),
    )
    op.create_table("stale_case", sa.Column("case_id", Identifier, primary_key=True))


def _index(name: str, table: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, unique=unique, postgresql_where=condition, sqlite_where=condition)
