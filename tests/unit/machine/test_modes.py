"""Modes change only along legal edges."""

from __future__ import annotations

import pytest

from switchover.errors import IllegalTransition
from switchover.machine.modes import check_transition
from switchover.machine.snapshot import MODES, Snapshot


@pytest.mark.req("T1", "INV5")
@pytest.mark.parametrize("mode", MODES)
def test_emergency_rollback_is_legal_from_every_mode(mode: str) -> None:
    """Nothing stands in the way of a rollback."""
    assert check_transition(mode, "emergency_rollback") is None


@pytest.mark.req("T1")
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("legacy_only", "candidate_only"),
        ("parallel", "candidate_only"),
        ("emergency_rollback", "gradual"),
        ("emergency_rollback", "candidate_only"),
        ("candidate_only", "legacy_only"),
    ],
)
def test_a_shortcut_between_modes_is_refused_and_names_the_legal_ones(old: str, new: str) -> None:
    """The message tells which modes are reachable."""
    with pytest.raises(IllegalTransition, match=r"from here: .*emergency_rollback"):
        check_transition(old, new)


@pytest.mark.req("T1")
def test_a_new_snapshot_serves_legacy_only() -> None:
    """The default sends nothing to the candidate."""
    snapshot = Snapshot("m", 1)
    assert snapshot.mode == "legacy_only"
    assert not snapshot.serves_candidate


@pytest.mark.req("T2")
@pytest.mark.parametrize(
    "broken", [{"split": -1}, {"split": 10_001}, {"shadow": 10_001}, {"mode": "fast"},
               {"key": "uuid"}, {"epoch": -1}]
)  # fmt: skip
def test_an_impossible_snapshot_is_refused(broken: dict[str, object]) -> None:
    """Shares outside 0 to 100 %, unknown modes and negative epochs raise."""
    with pytest.raises(ValueError, match=r"\w"):
        Snapshot(**{"migration": "m", "epoch": 1, **broken})  # type: ignore[arg-type]
