"""The sums of the blocks by stage. Stages that ended before this version have none."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tallies",
        sa.Column("migration", sa.Text, primary_key=True),
        sa.Column("attempt", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("stage", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("metric", sa.Text, primary_key=True),
        sa.Column("system", sa.Text, primary_key=True),
        sa.Column("n", sa.BigInteger, nullable=False),
        sa.Column("bad", sa.BigInteger, nullable=False),
        sa.Column("total", sa.Float(53), nullable=False),
        sa.Column("total_squares", sa.Float(53), nullable=False),
        sa.Column("sketch", sa.Text, nullable=False),
    )
