"""What waits to be collected of a migration."""

from __future__ import annotations

from dataclasses import dataclass

from switchover.judge.heartbeat import Heartbeat


@dataclass(frozen=True, slots=True)
class Inbox:
    """How many blocks and sampled disagreements wait, and the last word of every recorder."""

    blocks: int
    mismatches: int
    heartbeats: tuple[Heartbeat, ...]
