"""Stops that people set."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "freezes",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("until", sa.Text),
        sa.Column("lifted_at", sa.Text),
        sa.Column("lifted_by", sa.Text, nullable=False),
    )
    still_on = sa.text("lifted_at IS NULL")
    op.create_index(
        "freezes_that_hold",
        "freezes",
        ["scope"],
        unique=True,
        sqlite_where=still_on,
        postgresql_where=still_on,
    )
