"""Real proxies kept in step with the routing document: HAProxy, nginx, Traefik, Gateway API."""

from __future__ import annotations

from switchover.routing.proxies.compose import TrafficSplits, open_splits

__all__ = ["TrafficSplits", "open_splits"]
