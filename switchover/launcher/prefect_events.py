"""Announcements as Prefect's custom events, for automations."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from typing import Any

from switchover.launcher.session import PrefectSession
from switchover.ports import Announcement


class PrefectEvents:
    """Posts to Prefect's event API. Its store drops an event whose id it knows already."""

    def __init__(self, session: PrefectSession) -> None:
        self._session = session

    def publish(self, announcements: Sequence[Announcement]) -> None:
        """Publish in order; raises ``DependencyUnavailable`` when Prefect is away."""
        events = [_event(announcement) for announcement in announcements]
        self._session.post("/events", events, what="custom events")


def _event(announcement: Announcement) -> dict[str, Any]:
    return {
        "id": announcement.id,
        "event": announcement.name,
        "occurred": announcement.at.astimezone(UTC).isoformat(),
        "resource": {
            "prefect.resource.id": f"switchover.migration.{announcement.migration}",
            "prefect.resource.name": announcement.migration,
        },
        "payload": announcement.payload,
    }
