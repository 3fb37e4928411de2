"""The composition root: settings in, built objects out. Nothing else builds adapters."""

from __future__ import annotations

from switchover.wiring.build import build_context, build_ledger
from switchover.wiring.handlers import open_launcher
from switchover.wiring.settings import Settings, load_settings

__all__ = ["Settings", "build_context", "build_ledger", "load_settings", "open_launcher"]
