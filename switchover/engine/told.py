"""What people were told once in a stage, kept in the evidence: so no look reads the ledger for it.

The ledger's note is what counts; this only says that it is there.
"""

from __future__ import annotations

from typing import Any

from switchover.engine.collect import at_stage, revise
from switchover.engine.context import Case


def was_told(case: Case, topic: str) -> bool:
    """Whether it is known here that people were told in the present stage."""
    stored = case.context.ledger.evidence(case.state.migration) or {}
    return bool(stored.get("told", {}).get(topic) == case.state.entered_at)


def remember_told(case: Case, topic: str) -> None:
    """Keep that people were told."""

    def note(stored: dict[str, Any] | None) -> dict[str, Any]:
        document = at_stage(case, stored)
        return {**document, "told": {**document.get("told", {}), topic: case.state.entered_at}}

    revise(case.context, case.state.migration, note)
