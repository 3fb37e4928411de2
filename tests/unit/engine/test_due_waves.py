"""What a sweep pays for rollbacks whose validation is over."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from switchover.engine.roll_back import roll_back
from switchover.engine.validate import due_waves, validate
from switchover.testing.probes import ScriptedProbes


@pytest.mark.req("R4")
def test_a_validation_that_is_over_costs_a_sweep_no_plan(world: Any) -> None:
    """Migrations that went back stay in the ledger for good, and a guard sweeps each second."""
    world.context = replace(world.context, probes=ScriptedProbes())
    world.start()
    world.to_canary()
    roll_back(world.context, "demo", actor="bo", trigger="person", reason="smoke")
    world.clock.advance(timedelta(seconds=60))
    assert [wave.name for wave in due_waves(world.case)] == ["immediate"]
    validate(world.context, "demo", actor="t")
    case = world.case
    assert due_waves(case) == []
    assert "plan" not in vars(case)
