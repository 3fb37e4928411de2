"""How every flow ends: side effects performed, artifacts published, the outcome told."""

from __future__ import annotations

from typing import Any

from prefect import State
from prefect.states import Completed

from tasks.conclusion import finish


def conclude(migration: str, outcome: dict[str, Any]) -> State[dict[str, Any]]:
    """Perform what is due outside and show people where the migration stands.

    Gives the run's final state: its message, which the Prefect UI shows beside the name, says
    what was done or why nothing was.
    """
    finish(migration)
    return completed(str(outcome["sentence"]), outcome)


def completed(sentence: str, outcome: Any) -> State[Any]:
    """A final state that tells the outcome in a sentence and carries it as the result."""
    return Completed(message=sentence, data=outcome)
