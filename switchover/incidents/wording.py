"""Durations, moments and evidence in words, the same in a report and in Slack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any


def spell_seconds(seconds: float) -> str:
    """A duration in the two largest units that matter: ``1 d 2 h``, ``3 min 20 s``, ``0.42 s``."""
    if seconds < 10:
        return f"{seconds:.2f} s"
    units = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))
    rest = round(seconds)
    parts: list[tuple[int, str]] = []
    for name, size in units:
        count, rest = divmod(rest, size)
        if count or parts:
            parts.append((count, name))
    return " ".join(f"{count} {name}" for count, name in parts[:2] if count)


def spell_moment(at: datetime) -> str:
    """A moment to the second, in UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def spell_evidence(evidence: float) -> str:
    """An e-value without false precision: ``0.3``, ``14``, ``1.2e9``."""
    return f"{evidence:.2g}" if evidence < 100 or evidence >= 1e6 else f"{evidence:,.0f}"


def gate_sentence(reading: Mapping[str, Any]) -> str:
    """What a gate says, without its name in front: it stands beside it already."""
    return str(reading.get("sentence", "")).removeprefix(f"{reading.get('gate', '')}: ")


def all_off(component: str, flags: Sequence[str]) -> str:
    """What routers have after a rollback of one component: ``new-search of component panel off``"""
    names = ", ".join(flags)
    return f"{names} of component {component} off" if names else f"no flag of component {component}"
