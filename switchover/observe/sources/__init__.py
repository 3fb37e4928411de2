"""Metrics from elsewhere (O6): Prometheus, SQL and HTTP JSON, as blocks like the recorder's."""

from __future__ import annotations

from switchover.observe.sources.compose import open_sources

__all__ = ["open_sources"]
