"""What is judged of the blocks that arrive: after the warm-up, with the stage's split."""

from __future__ import annotations

from typing import Any

import pytest

from switchover.engine.assess import assess, last_heard
from switchover.engine.collect import by_age, collect
from switchover.judge.block import Block
from switchover.judge.gate import GateSpec
from switchover.judge.verdict import Verdict

GATES = (
    GateSpec("a", "proportion", "m", 0.1),
    GateSpec("b", "proportion", "m", 0.1, warm_up=600.0),
)


def block(start: float) -> Block:
    return Block(str(start), "demo", "m", "candidate", start, 60, 10)


@pytest.mark.req("O5")
def test_blocks_are_parted_where_warm_ups_end() -> None:
    """Late blocks of the stage before are not young."""
    starts = (90.0, 100.0, 699.0, 700.0, 5000.0)
    parts = by_age(GATES, [block(start) for start in starts], 100.0)
    assert [(age, [one.start for one in part]) for age, part in parts] == [
        (0.0, [100.0, 699.0]),
        (600.0, [90.0, 700.0, 5000.0]),
    ]
    assert by_age(GATES[:1], [block(90.0)], 100.0) == [(0.0, [block(90.0)])]


@pytest.mark.req("O5")
def test_a_cold_start_is_forgiven_where_the_plan_says_so(world: Any) -> None:
    """A candidate that fails for its first minutes goes on; without warm-up it would go back."""
    for warm_up, verdict in (("5m", Verdict.INSUFFICIENT_EVIDENCE), ("0s", Verdict.ROLLBACK)):
        gates = [{"metric": "success_rate", "at_least": "90%", "warm_up": warm_up}]
        migration = type(world)(world.directory)
        migration.start(gates=gates)
        migration.work()
        migration.step()
        migration.stream.add(migration.block("success_rate", "candidate", 500, bad=300))
        collect(migration.context, "demo")
        reading = assess(migration.case)
        assert reading is not None
        assert reading.verdict is verdict


@pytest.mark.req("O5")
def test_the_stages_split_reaches_the_judge(world: Any) -> None:
    """Half of the requests where a tenth is wanted: the ramp is frozen, and nothing rolls back."""
    gates = [
        {"metric": "success_rate", "at_least": "90%"},
        {"metric": "requests_served"},
    ]
    world.start(gates=gates)
    world.to_canary()
    for system in ("legacy", "candidate"):
        world.stream.add(world.block("requests_served", system, 500))
    collect(world.context, "demo")
    reading = assess(world.case)
    assert reading is not None
    assert reading.frozen
    assert reading.verdict is Verdict.HOLD
    assert "10 % wanted" in reading.sentence


@pytest.mark.req("INV6")
def test_a_gate_for_report_only_need_not_be_heard(world: Any) -> None:
    """Its metric may never arrive; nobody waits for it, nor is alarmed."""
    gates = [
        {"metric": "success_rate", "at_least": "90%"},
        {"metric": "duration_avg", "report_only": True},
    ]
    world.start(gates=gates)
    world.work()
    world.step()
    assert last_heard(world.case, None)[1] == "candidate success_rate"
    gates[0]["noise"] = "noise_rate"
    other = type(world)(world.directory)
    other.start(gates=gates)
    other.work()
    other.step()
    stored = {"heard": {"candidate success_rate": 9e12}}
    assert last_heard(other.case, stored)[1] == "candidate noise_rate"
