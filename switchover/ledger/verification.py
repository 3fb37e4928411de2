"""Verification of a whole ledger, live or exported. Standard library and machine only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from switchover.errors import UnknownMigration
from switchover.ledger.audit import Anchor, faults_of
from switchover.ledger.chain import Chain
from switchover.ledger.copy import Copy


class Auditable(Protocol):
    """A ledger that shows what it stores."""

    chain: Chain

    def copies(self, migration: str | None = None) -> Iterator[Copy]:
        """What is stored, migration by migration, in the order of their names."""


def verify(
    ledger: Auditable,
    migration: str | None = None,
    anchors: Mapping[str, Anchor] | None = None,
) -> list[str]:
    """Every fault of the ledger, or of one migration; empty when it verifies.

    Each fault names migration, revision and what is wrong. ``anchors`` are heads from an
    earlier export (see :func:`switchover.ledger.anchors_of`): they find a record that was
    cut off or rewritten by somebody who also mended the rest. Raises ``InputError`` for a
    migration that neither the ledger nor the anchors know.
    """
    known = dict(anchors or {})
    if migration is not None:
        known = {slug: anchor for slug, anchor in known.items() if slug == migration}
    found: list[str] = []
    seen: set[str] = set()
    for copy in ledger.copies(migration):
        seen.add(copy.migration)
        found += faults_of(copy, ledger.chain, known.get(copy.migration))
    for slug in sorted(known.keys() - seen):
        found.append(
            f"{slug}, revision {known[slug][0]}: an earlier export has it, "
            "the whole migration is missing (removed)"
        )
    if migration is not None and migration not in seen and not found:
        raise UnknownMigration(migration)
    return found
