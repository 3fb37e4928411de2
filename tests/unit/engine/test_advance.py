"""One step at a time, on evidence, from start to complete."""

from __future__ import annotations

from typing import Any

import pytest

from switchover.engine.approve import decide_approval
from switchover.engine.assess import due
from switchover.engine.context import Case
from switchover.engine.reconcile import reconcile
from switchover.errors import Refused


@pytest.mark.req("P2", "T1")
def test_a_good_candidate_goes_from_zero_to_a_hundred_percent(world: Any) -> None:
    """Checks, shadow, canary, approval, full: each step is one ledger entry and one epoch."""
    world.start()
    assert world.routing.read("demo").mode == "legacy_only"
    approval = world.to_approval()
    assert world.routing.read("demo").split == 1000
    decide_approval(world.context, "demo", "approve", approver="ada", via="cli")
    assert world.step().action == "enter"
    assert world.routing.read("demo").split == 10_000
    world.wait(1.1)
    world.traffic()
    outcome = world.step()
    assert (outcome.action, outcome.split) == ("enter", 100)
    assert world.case.state.phase == "complete"
    assert world.routing.read("demo").mode == "candidate_only"
    assert world.step().action == "nothing"
    assert approval


@pytest.mark.req("INV6", "P2")
def test_no_evidence_never_promotes(world: Any) -> None:
    """Time alone opens nothing, however long it is."""
    world.start()
    world.work()
    world.step()
    world.wait(1000)
    outcome = world.step()
    assert not outcome.did
    assert outcome.stage == "shadow"
    assert "no data" in outcome.sentence or "no evidence" in outcome.sentence


@pytest.mark.req("P3")
def test_evidence_without_the_bake_time_waits_and_says_until_when(world: Any) -> None:
    """A stage stays for its time, even with all evidence in."""
    world.start()
    world.work()
    world.step()
    world.traffic()
    outcome = world.step()
    assert (outcome.action, outcome.did) == ("wait", False)
    assert due(world.case).until == world.case.state.not_before


@pytest.mark.req("P1")
def test_failed_checks_keep_the_migration_where_it_is(world: Any) -> None:
    """A failing check is due again, and nothing moves."""
    world.start()
    world.work(ok=False)
    outcome = world.step()
    assert (outcome.action, outcome.did, outcome.stage) == ("work", False, "checks")


@pytest.mark.req("O5", "INV12", "R1")
def test_a_bad_candidate_is_rolled_back_by_the_evidence(world: Any) -> None:
    """The step out of a bad stage is the way back, with the numbers in the ledger."""
    world.start()
    world.to_canary()
    world.traffic(bad=1200)
    outcome = world.step()
    assert outcome.action == "roll_back"
    assert outcome.split == 0
    assert world.routing.read("demo").mode == "emergency_rollback"
    entry = next(e for e in world.ledger.entries("demo") if e.kind == "rolled_back")
    assert entry.payload["reading"]["verdict"] == "rollback"
    assert entry.payload["flags"] == ["new-format"]


@pytest.mark.req("P8")
def test_a_step_needs_a_fresh_data_check_that_passed(world: Any) -> None:
    """Due before the step; a failed one blocks it; an old one is due again."""
    check = {"name": "rows", "database": "env:X", "table": "t",
             "expectations": [{"expect": "column_values_to_not_be_null"}]}  # fmt: skip
    world.start(data_checks=[check])
    world.work()
    world.step()
    world.wait(1.1)
    world.traffic()
    assert world.step().action == "check_data"
    world.data(ok=False)
    assert world.step().action == "check_data"
    world.data()
    world.wait(1.1)
    world.traffic()
    assert world.step().action == "check_data"
    world.data()
    assert world.step().action == "enter"


@pytest.mark.req("P7", "INV5")
def test_a_freeze_window_blocks_the_step_and_not_the_rollback(world: Any) -> None:
    """Frozen means no step forward; bad evidence still goes back."""
    window = {"start": "2026-01-01T00:00:00Z", "end": "2026-02-01T00:00:00Z", "reason": "holiday"}
    world.start(schedule={"freeze": [window]})
    world.work()
    outcome = world.step()
    assert not outcome.did
    assert "holiday" in outcome.sentence
    assert due(world.case).code == "frozen"


@pytest.mark.req("INV1")
def test_of_two_advancers_one_wins_and_the_other_says_so(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loser of the race changes nothing and reports it as an outcome."""
    world.start()
    world.work()
    once: list[int] = []
    original = Case.append

    def slow(self: Case, *args: Any, **kwargs: Any) -> Case:
        if not once:
            once.append(1)
            assert world.step().did
        return original(self, *args, **kwargs)

    monkeypatch.setattr(Case, "append", slow)
    outcome = world.step()
    assert not outcome.did
    assert "another run" in outcome.sentence
    kinds = [e.kind for e in world.ledger.entries("demo")]
    assert kinds.count("stage_entered") == 1


@pytest.mark.req("INV2", "INV4")
def test_reconcile_repairs_a_crash_between_ledger_and_routing(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger has the step, routing does not: the next flow writes it."""
    world.start()
    world.work()
    monkeypatch.setattr("switchover.engine.advance.project", lambda case: True)
    world.step()
    assert world.routing.read("demo").mode == "legacy_only"
    assert reconcile(world.context, "demo")
    assert world.routing.read("demo").mode == "parallel"
    assert reconcile(world.context, "demo") == []


@pytest.mark.req("INV1")
def test_a_started_plan_can_not_change(world: Any) -> None:
    """The same plan again is no error; another one is refused."""
    first = world.start()
    assert world.start().state == first.state
    with pytest.raises(Refused, match="can't change"):
        world.start(title="Other")


@pytest.mark.req("T1")
def test_every_change_of_mode_is_on_record_with_old_and_new_mode_actor_reason_and_time(
    world: Any,
) -> None:
    """The ledger alone tells how traffic moved, and who moved it why."""
    world.start()
    world.to_canary()
    world.traffic(bad=1200)
    world.step()
    entries = world.ledger.entries("demo")
    moves = [e for e in entries if e.kind in ("stage_entered", "rolled_back")]
    assert [
        (e.payload["old_mode"], e.payload.get("mode", "emergency_rollback")) for e in moves
    ] == [
        ("legacy_only", "parallel"),
        ("parallel", "gradual"),
        ("gradual", "emergency_rollback"),
    ]
    assert all(e.payload["reason"] and e.actor and e.at for e in moves)


@pytest.mark.req("P2")
def test_a_plan_that_begins_with_traffic_begins(world: Any) -> None:
    """Accepting a plan sends nobody anywhere; the first step does."""
    world.start(
        checks=[],
        stages=[{"kind": "shadow", "bake": "1h"}, {"kind": "canary", "percent": 100.0}],
    )
    assert (world.case.state.mode, world.case.stage.key) == ("legacy_only", "start")
    assert world.step().action == "enter"
    assert (world.case.state.mode, world.case.stage.key) == ("parallel", "shadow")
