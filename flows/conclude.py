"""How every flow ends: side effects performed, artifacts published, the outcome returned."""

from __future__ import annotations

from typing import Any

from tasks.artifacts import publish
from tasks.effects import perform_effects


def conclude(migration: str, outcome: dict[str, Any]) -> dict[str, Any]:
    """Perform what is due outside and show people where the migration stands."""
    perform_effects()
    publish(migration)
    return outcome
