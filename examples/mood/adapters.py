"""Translate the candidate's answer for each version of its consumer (C1).

Fields are taken by name, so nothing that only the candidate knows can leak, and nothing is
made up: an answer that lacks a field is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

V1 = ("model_version", "subject", "window_end", "horizon_hours", "risk_score", "generated_at")
V2 = ("model_version", "subject", "generated_at")
CURRENT = ("source", "window", "risk", "confidence", "timestamp")
FORECAST = ("source", "window", "risk", "confidence", "prediction_for")


def to_cds_v1(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Exactly the legacy shape: one ``risk_score``. Raises ``ValueError``."""
    return _taken(answer, V1, "")


def to_cds_v2(answer: Mapping[str, Any]) -> dict[str, Any]:
    """The full temporal assessment. Raises ``ValueError``."""
    document = _taken(answer, V2, "")
    for half, names in (("current", CURRENT), ("forecast", FORECAST)):
        document[half] = _taken(_part(answer, half), names, f"{half}.")
    suggestions = _taken(answer, ("recommendations",), "")["recommendations"]
    if not isinstance(suggestions, list):
        raise ValueError("the candidate's answer has 'recommendations' that are no list")
    document["recommendations"] = [
        _taken(suggestion, ("code", "text"), "recommendations.") for suggestion in suggestions
    ]
    return document


def _part(answer: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = answer.get(name)
    if not isinstance(part, Mapping):
        raise ValueError(f"the candidate's answer has no {name!r}")
    return part


def _taken(source: Mapping[str, Any], names: tuple[str, ...], prefix: str) -> dict[str, Any]:
    try:
        return {name: source[name] for name in names}
    except (KeyError, TypeError) as error:
        missing = [name for name in names if not isinstance(source, Mapping) or name not in source]
        raise ValueError(f"the candidate's answer has no {prefix + missing[0]!r}") from error
