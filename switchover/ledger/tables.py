"""The tables of the ledger; the migrations in ``versions/`` build them.

Times are ISO 8601 text in UTC and documents are canonical JSON text: both databases then
hold the same bytes, and a digest of one verifies on the other.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, Integer, MetaData, Table, Text, text

metadata = MetaData()

#: One row per migration: the fold of its entries, and the head of its chain.
migrations = Table(
    "migrations",
    metadata,
    Column("slug", Text, primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("head", Text, nullable=False),
    Column("seal", Text, nullable=False),
    Column("plan_version", Integer, nullable=False),
    Column("updated_at", Text, nullable=False),
)

#: Append-only, by triggers.
entries = Table(
    "entries",
    metadata,
    Column("migration", Text, primary_key=True),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("at", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("previous", Text, nullable=False),
    Column("digest", Text, nullable=False),
)

#: Append-only, by triggers.
plans = Table(
    "plans",
    metadata,
    Column("migration", Text, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("digest", Text, nullable=False),
    Column("document", Text, nullable=False),
    Column("directory", Text, nullable=False),
)

#: Every block that was folded into the evidence: the id makes that happen once.
blocks = Table(
    "blocks",
    metadata,
    Column("id", Text, primary_key=True),
    Column("migration", Text, nullable=False),
    Column("metric", Text, nullable=False),
    Column("system", Text, nullable=False),
    Column("start", Float(53), nullable=False),
    Column("seconds", Float(53), nullable=False),
    Column("n", BigInteger, nullable=False),
    Column("bad", BigInteger, nullable=False),
    Column("total", Float(53), nullable=False),
    Column("total_squares", Float(53), nullable=False),
    Column("sketch", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Index("blocks_by_time", "migration", "metric", "start"),
)

#: Sampled disagreements of pairs, redacted before they came here; the newest of each attempt.
mismatches = Table(
    "mismatches",
    metadata,
    Column("id", Text, primary_key=True),
    Column("migration", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("at", Float(53), nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("document", Text, nullable=False),
    Index("mismatches_by_time", "migration", "attempt", "at"),
)

#: What the judge made of the blocks so far; ``document`` is null before the first look.
evidence = Table(
    "evidence",
    metadata,
    Column("migration", Text, primary_key=True),
    Column("cursor", Text, nullable=False),
    Column("document", Text),
    Column("version", Integer, nullable=False),
)

#: The sums of the blocks by stage: a comparison of weeks reads a few rows. Kept in the
#: transaction that stores the blocks, under the lock of the migration's evidence.
tallies = Table(
    "tallies",
    metadata,
    Column("migration", Text, primary_key=True),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("stage", Integer, primary_key=True, autoincrement=False),
    Column("metric", Text, primary_key=True),
    Column("system", Text, primary_key=True),
    Column("n", BigInteger, nullable=False),
    Column("bad", BigInteger, nullable=False),
    Column("total", Float(53), nullable=False),
    Column("total_squares", Float(53), nullable=False),
    Column("sketch", Text, nullable=False),
)

#: The outbox: side effects, written in the transaction of the entry that asks for them.
effects = Table(
    "effects",
    metadata,
    Column("key", Text, primary_key=True),
    Column("migration", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("position", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("lease_until", Text),
    Column("retry_at", Text),
    Column("result", Text),
    Column("error", Text),
    Column("created_at", Text, nullable=False),
    Index("effects_by_age", "status", "created_at"),
    Index("effects_by_migration", "migration"),
)

#: Who may prove themselves by a code. Not part of any chain: a code is issued and revoked.
approvers = Table(
    "approvers",
    metadata,
    Column("name", Text, primary_key=True),
    Column("code", Text, nullable=False),
    Column("slack_user", Text, unique=True),
    Column("created_at", Text, nullable=False),
    Column("revoked_at", Text),
    Column("failures", Integer, nullable=False),
    Column("failed_at", Text),
    Column("locked_until", Text),
)

#: Up to which revision the entries of a migration were told as events.
announced = Table(
    "announced",
    metadata,
    Column("migration", Text, primary_key=True),
    Column("revision", Integer, nullable=False),
)

#: Stops that people set; at most one for each scope is not lifted yet.
freezes = Table(
    "freezes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("scope", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("until", Text),
    Column("lifted_at", Text),
    Column("lifted_by", Text, nullable=False),
    Index(
        "freezes_that_hold",
        "scope",
        unique=True,
        sqlite_where=text("lifted_at IS NULL"),
        postgresql_where=text("lifted_at IS NULL"),
    ),
)

#: Tables in which a row never changes once it is written.
APPEND_ONLY = ("entries", "plans")
