"""Approvers and the hashes of their codes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "approvers",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("slack_user", sa.Text, unique=True),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.Column("revoked_at", sa.Text),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("failed_at", sa.Text),
        sa.Column("locked_until", sa.Text),
    )
