"""People, flows, and whoever listens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from switchover.ports.ledger import Entry


class Pager(Protocol):
    """Tells people. ``key`` makes a message unique; sending it twice shows it once."""

    def post(
        self,
        key: str,
        channel: str,
        text: str,
        blocks: Sequence[Mapping[str, Any]],
        thread: str | None = None,
    ) -> str:
        """Send and return the message's thread id."""

    def update(
        self, channel: str, thread: str, text: str, blocks: Sequence[Mapping[str, Any]]
    ) -> None:
        """Replace the message that began ``thread``."""


class Launcher(Protocol):
    """Starts and ends flow runs by deployment name."""

    def start(self, deployment: str, parameters: Mapping[str, Any], key: str) -> str:
        """Start a run once per ``key``; returns the run's id."""

    def resume(self, run_id: str, values: Mapping[str, Any]) -> None:
        """Resume a suspended run with typed input."""

    def waiting(self, deployment: str) -> list[tuple[str, Mapping[str, Any]]]:
        """Suspended runs of a deployment with their parameters."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """One thing that happened, for automations. The same ``id`` is the same announcement."""

    id: str
    name: str
    migration: str
    at: datetime
    payload: dict[str, Any]


class Announcements(Protocol):
    """Remembers up to which revision each migration's entries were announced."""

    def pending(self, limit: int) -> list[Entry]:
        """Entries that are not confirmed, by migration and revision; at most ``limit``."""

    def confirm(self, migration: str, revision: int) -> None:
        """All entries up to ``revision`` are published; a smaller one changes nothing."""


class EventSink(Protocol):
    """Whoever passes announcements on to people's automations."""

    def publish(self, announcements: Sequence[Announcement]) -> None:
        """Publish in order; raises ``DependencyUnavailable`` when nobody can be told now."""
