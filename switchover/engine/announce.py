"""Announce: tell the outside what entered the ledger, so that people can hang automations on it.

Entries are announced in the order of the ledger, after they were written and outside their
transaction: a sink that is down delays announcements and nothing else. Each has an id made from
migration and revision, so that one that is announced again after a crash is known as the same.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from itertools import groupby
from typing import Any

from switchover.ports import Announcement, Announcements, Entry, EventSink

#: Entries that one call announces at most; the next one goes on.
MOST = 500
#: Characters of a text in a payload; what is longer is cut, the ledger has it whole.
LONGEST = 1000
_NAMESPACE = uuid.UUID("6b1f8a52-4f0e-5d0c-9a57-2f4f0f6f7a10")


def announce(announcements: Announcements, sink: EventSink) -> int:
    """Publish entries that were not announced yet; gives how many were.

    Raises ``DependencyUnavailable`` when the sink can't be reached; what was published before
    that is not published again.
    """
    entries = announcements.pending(MOST)
    for migration, own in groupby(entries, key=lambda entry: entry.migration):
        batch = list(own)
        sink.publish([announcement(entry) for entry in batch])
        announcements.confirm(migration, batch[-1].revision)
    return len(entries)


def announcement(entry: Entry) -> Announcement:
    """What is told of an entry: who, when, and its plain values; numbers of gates and samples
    of answers stay in the ledger."""
    identity = uuid.uuid5(_NAMESPACE, f"{entry.migration}:{entry.revision}:{entry.digest}")
    return Announcement(
        id=str(identity),
        name=f"switchover.{entry.kind}",
        migration=entry.migration,
        at=entry.at,
        payload={
            "migration": entry.migration,
            "revision": entry.revision,
            "by": entry.actor,
            **_plain(entry.payload),
        },
    )


def _plain(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The values that are no structures, null for what was not measured; texts are cut."""
    return {
        name: value[:LONGEST] if isinstance(value, str) else value
        for name, value in payload.items()
        if isinstance(value, str | int | float | bool | None) and name not in ("salt", "at", "plan")
    }
