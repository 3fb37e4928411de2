"""The composition root: settings in, built objects out. Nothing else builds adapters."""

from __future__ import annotations

from switchover.wiring.build import (
    build_announcements,
    build_context,
    build_events,
    build_ledger,
    build_spool,
)
from switchover.wiring.handlers import open_launcher, open_schedules
from switchover.wiring.settings import Settings, load_settings

__all__ = [
    "Settings",
    "build_announcements",
    "build_context",
    "build_events",
    "build_ledger",
    "build_spool",
    "load_settings",
    "open_launcher",
    "open_schedules",
]
