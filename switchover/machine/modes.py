"""Traffic modes and the transitions that are legal between them (T1)."""

from __future__ import annotations

from switchover.errors import IllegalTransition

_LEGAL: dict[str, frozenset[str]] = {
    "legacy_only": frozenset({"legacy_only", "parallel", "gradual"}),
    "parallel": frozenset({"legacy_only", "parallel", "gradual"}),
    "gradual": frozenset({"legacy_only", "parallel", "gradual", "candidate_only"}),
    "candidate_only": frozenset({"candidate_only", "gradual"}),
    "emergency_rollback": frozenset({"legacy_only", "emergency_rollback"}),
}


def check_transition(old: str, new: str) -> None:
    """Raise :class:`IllegalTransition` unless ``old`` may become ``new``.

    ``emergency_rollback`` is legal from everywhere: nothing may stand in its way. The
    candidate takes all traffic only after a gradual ramp.
    """
    if new != "emergency_rollback" and new not in _LEGAL[old]:
        allowed = ", ".join([*sorted(_LEGAL[old] - {old}), "emergency_rollback"])
        raise IllegalTransition(f"mode {old} can't become {new}; from here: {allowed}")
