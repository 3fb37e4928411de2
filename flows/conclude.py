"""How every flow ends: side effects performed, artifacts published, the outcome told."""

from __future__ import annotations

from typing import Any

from prefect import State
from prefect.artifacts import create_markdown_artifact
from prefect.states import Completed

from tasks.conclusion import finish
from tasks.effects import perform_effects


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


def told(outcome: tuple[bool, str, str], key: str, description: str) -> State[dict[str, Any]]:
    """End a run that tells people: ``outcome`` is whether it did, a sentence on it, and the text,
    which becomes the artifact ``key``."""
    did, sentence, text = outcome
    perform_effects()
    if text:
        markdown = text.replace("\n", "  \n")
        create_markdown_artifact(key=key, markdown=markdown, description=description)
    return completed(sentence, {"did": did, "sentence": sentence})
