"""The hash chain: what an entry's digest covers, and how one follows another. Pure.

Standard library only, so that an export can be verified without a database. A ``Link`` holds
an entry exactly as it is stored, as text: any byte that changes, changes the digest.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from switchover.canonical import canonical, parse
from switchover.errors import InputError


def stamp(moment: datetime) -> str:
    """An aware moment as ISO 8601 in UTC with microseconds: sorts like time."""
    if moment.tzinfo is None:
        raise InputError(f"the moment {moment} has no time zone; give one, such as UTC")
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


@dataclass(frozen=True, slots=True)
class Link:
    """One entry as stored: ``at`` as ISO 8601, ``payload`` as canonical JSON."""

    migration: str
    revision: int
    at: str
    actor: str
    kind: str
    payload: str
    previous: str
    digest: str

    @property
    def document(self) -> dict[str, Any]:
        """The payload, read; raises ``ValueError`` when it is not a JSON object."""
        document = parse(self.payload)
        if not isinstance(document, dict):
            raise ValueError("the payload is not a JSON object")
        return document


class Chain:
    """Makes and checks digests: SHA-256, or HMAC-SHA256 with a ``key``.

    With a key, somebody who can write the database but does not hold the key can't make an
    entry, or a seal, that verifies.
    """

    def __init__(self, key: bytes | None = None) -> None:
        if key is not None and not key:
            raise InputError("the audit key is empty; set SWITCHOVER_AUDIT_KEY to a long secret")
        self._key = key

    @property
    def keyed(self) -> bool:
        """True when digests can be made by the holder of the key only."""
        return self._key is not None

    def origin(self, migration: str, plan: str) -> str:
        """The ``previous`` of a first entry, from the migration and its plan's digest."""
        return self._digest("origin", {"migration": migration, "plan": plan})

    def digest(self, link: Link, revision: int | None = None) -> str:
        """What ``link.digest`` has to be; ``revision`` asks for another place in the chain."""
        return self._digest(
            "entry",
            {
                "migration": link.migration,
                "revision": link.revision if revision is None else revision,
                "at": link.at,
                "actor": link.actor,
                "kind": link.kind,
                "payload": link.payload,
                "previous": link.previous,
            },
        )

    def seal(self, migration: str, revision: int, head: str) -> str:
        """What closes the chain at its head: cutting off the tail needs a new one."""
        return self._digest("seal", {"migration": migration, "revision": revision, "head": head})

    def close(self, heads: Mapping[str, tuple[int, str]]) -> str:
        """What closes an export: leaving a migration out needs a new one."""
        return self._digest("export", {slug: list(head) for slug, head in heads.items()})

    def forge(
        self,
        migration: str,
        revision: int,
        at: datetime,
        actor: str,
        kind: str,
        payload: Mapping[str, Any],
        previous: str,
    ) -> Link:
        """The link with its digest."""
        fields = (migration, revision, stamp(at), actor, kind, canonical(payload), previous)
        return Link(*fields, digest=self.digest(Link(*fields, digest="")))

    def _digest(self, purpose: str, document: Mapping[str, Any]) -> str:
        # The purpose keeps a digest of one sort from standing in for another.
        data = f"switchover {purpose} {canonical(document)}".encode("ascii")
        if self._key is None:
            return hashlib.sha256(data).hexdigest()
        return hmac.new(self._key, data, hashlib.sha256).hexdigest()
