"""People and flows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


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


class Launcher(Protocol):
    """Starts and ends flow runs by deployment name."""

    def start(self, deployment: str, parameters: Mapping[str, Any], key: str) -> str:
        """Start a run once per ``key``; returns the run's id."""

    def resume(self, run_id: str, values: Mapping[str, Any]) -> None:
        """Resume a suspended run with typed input."""

    def waiting(self, deployment: str) -> list[tuple[str, Mapping[str, Any]]]:
        """Suspended runs of a deployment with their parameters."""
