"""Policies.

It only adds a table, so that the version before goes on working beside it.
"""

import sqlalchemy as sa
from alembic import op

from flagrank.storage.dialect import Moment

revision = "0003_from_0002"
down_revision = "0002_from_0001"


def upgrade() -> None:
    """Make it."""
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
    """Take it away."""
    op.drop_table("policy")
