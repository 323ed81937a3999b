"""Roles beside the champion's, the line of champions, what shadows score, audit rows, a challenger's part.

It only adds tables and columns that may be null, so that the version before goes on working beside it.
"""

import sqlalchemy as sa
from alembic import op

from flagrank.storage.dialect import Moment, RowNumber

revision = "0002_from_0001"
down_revision = "0001"

_PART = (
    ("challenger_name", sa.Text),
    ("challenger_version", sa.Text),
    ("challenger_reports", sa.LargeBinary),
)


def upgrade() -> None:
    """Make them."""
    for name, kind in _PART:
        op.add_column("task", sa.Column(name, kind))
    op.create_table(
        "model_trial",
        sa.Column("version", sa.Integer, _model(), primary_key=True, autoincrement=False),
        sa.Column("role", sa.Text, nullable=False, unique=True),
        sa.Column("share", sa.Double),
    )
    op.create_table(
        "champion_line",
        sa.Column("place", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("version", sa.Integer, _model(), nullable=False),
    )
    op.create_table(
        "shadow_log",
        sa.Column("log_id", RowNumber, primary_key=True),
        sa.Column("at", Moment, nullable=False),
        sa.Column("champion_version", sa.Integer, nullable=False),
        sa.Column("shadow_version", sa.Integer, _model(), nullable=False),
        sa.Column("champion_score", sa.Double, nullable=False),
        sa.Column("shadow_score", sa.Double, nullable=False),
    )
    op.create_index("shadow_log_pair", "shadow_log", ["shadow_version", "champion_version", "log_id"])
    op.create_table(
        "audit",
        sa.Column("audit_id", RowNumber, primary_key=True),
        sa.Column("at", Moment, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("actor", "action", "subject")),
        *(sa.Column(name, sa.LargeBinary) for name in ("before", "after")),
        sa.Column("reason", sa.Text),
    )
    op.create_index("audit_subject", "audit", ["subject", "audit_id"])
    op.create_index("audit_action", "audit", ["action", "audit_id"])


def downgrade() -> None:
    """Take them away."""
    for table in ("audit", "shadow_log", "champion_line", "model_trial"):
        op.drop_table(table)
    for name, _ in _PART:
        op.drop_column("task", name)


def _model() -> sa.ForeignKey:
    return sa.ForeignKey("model.version", ondelete="CASCADE")
