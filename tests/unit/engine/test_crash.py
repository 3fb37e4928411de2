"""What a run that ended in the middle left behind is finished by the next one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from switchover.engine.approve import abort, decide_approval
from switchover.engine.context import Case
from switchover.engine.monitor import look, watched
from switchover.engine.reconcile import reconcile
from switchover.engine.roll_back import record_halt, roll_back
from switchover.errors import DependencyUnavailable, Refused
from switchover.machine.event import Noted
from switchover.machine.snapshot import Snapshot
from switchover.testing.ledger import InMemoryLedger


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the engine catches it."""


class Down:
    """A dependency that does not answer."""

    def __getattr__(self, method: str) -> Any:
        def refuse(*args: Any, **kwargs: Any) -> Any:
            raise DependencyUnavailable("Redis", "connection refused")

        return refuse


def die(*args: Any, **words: Any) -> Any:
    """Where the process ends."""
    raise Killed


def back(world: Any, context: Any = None, **more: str) -> Any:
    """Roll back by hand."""
    words = {"actor": "bo", "trigger": "person", "reason": "smoke", **more}
    return roll_back(context or world.context, "demo", **words)


def kinds(world: Any) -> list[str]:
    """The kinds of all entries."""
    return [entry.kind for entry in world.ledger.entries("demo")]


@pytest.mark.req("INV4", "P6")
@pytest.mark.parametrize(("policy", "phase"), [("rollback", "rolled_back"), ("abort", "aborted")])
@pytest.mark.parametrize("by", ["step", "look"])
def test_what_follows_an_expiry_is_done_by_the_next_run(
    world: Any, monkeypatch: pytest.MonkeyPatch, policy: str, phase: str, by: str
) -> None:
    """The approval is recorded as expired, and the run ended before it could go back."""
    world.start(approvals={"approvers": ["ada"], "expires": "10h", "on_expiry": policy})
    world.to_approval()
    world.wait(11)
    with monkeypatch.context() as patch:
        patch.setattr("switchover.engine.approve.roll_back", die)
        patch.setattr("switchover.engine.approve.abort", die)
        with pytest.raises(Killed):
            world.step()
    assert world.case.state.phase == "held"
    if by == "step":
        world.step()
    else:
        look(world.context, "demo", actor="monitor")
    assert world.case.state.phase == phase
    assert kinds(world).count("approval_decided") == 1


@pytest.mark.req("INV4", "R1")
def test_a_rollback_that_nobody_lived_to_measure_is_measured_later(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sweep finds it, measures it once, and the report is rendered again."""
    world.start()
    world.to_canary()
    with monkeypatch.context() as patch:
        patch.setattr(world.routing, "wait_acknowledged", die)
        with pytest.raises(Killed):
            back(world)
    assert "rollback_measured" not in kinds(world)
    assert watched(world.context) == ["demo"]
    look(world.context, "demo", actor="monitor")
    reconcile(world.context, "demo")
    assert kinds(world).count("rollback_measured") == 1
    assert watched(world.context) == []
    keys = [row["key"] for row in world.ledger.effects("demo")]
    assert f"{world.case.state.incident}:report:measured" in keys


@pytest.mark.req("INV2", "INV4")
def test_an_abort_that_did_not_reach_routing_is_projected_by_the_sweep(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the candidate would go on serving a migration that has ended."""
    world.start()
    world.to_canary()
    with monkeypatch.context() as patch:
        patch.setattr("switchover.engine.approve.project", die)
        with pytest.raises(Killed):
            abort(world.context, "demo", actor="ada", reason="x")
    assert world.routing.read("demo").serves_candidate
    for name in watched(world.context):
        look(world.context, name, actor="monitor")
    assert not world.routing.read("demo").serves_candidate
    assert watched(world.context) == []


@pytest.mark.req("INV4", "P6")
def test_aborting_twice_changes_nothing_and_ends_the_waiting_run_once(world: Any) -> None:
    """A person at the form would otherwise wait for a decision nobody needs."""
    world.start()
    approval = world.to_approval()
    abort(world.context, "demo", actor="ada", reason="x")
    abort(world.context, "demo", actor="ada", reason="x")
    assert kinds(world).count("aborted") == 1
    keys = [row["key"] for row in world.ledger.effects("demo")]
    assert keys.count(f"{approval}:end:aborted") == 1


@pytest.mark.req("INV11", "INV4")
def test_a_rollback_recorded_later_keeps_its_trigger_and_its_numbers(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The judge stopped routing and was killed: the record still says that it was the judge."""
    world.start()
    world.to_canary()
    world.traffic(bad=1200)
    with monkeypatch.context() as patch:
        patch.setattr("switchover.engine.roll_back._record", die)
        with pytest.raises(Killed):
            world.step()
    reconcile(world.context, "demo")
    rollback = next(e for e in world.ledger.entries("demo") if e.kind == "rolled_back")
    assert rollback.payload["trigger"] == "judge"
    assert rollback.payload["reading"]["verdict"] == "rollback"


@pytest.mark.req("INV4", "INV5")
def test_of_two_orders_to_roll_back_the_record_names_the_one_that_did(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first stopped routing and died; the second finds its halt and writes that down."""
    world.start()
    world.to_canary()
    with monkeypatch.context() as patch:
        patch.setattr("switchover.engine.roll_back._record", die)
        with pytest.raises(Killed):
            back(world)
    second = back(world, actor="eve", reason="too", trigger="slack")
    rollback = next(e for e in world.ledger.entries("demo") if e.kind == "rolled_back")
    assert [rollback.payload[k] for k in ("actor", "trigger", "reason")] == [
        "bo", "person", "smoke",
    ]  # fmt: skip
    assert second.incident == world.case.state.incident == world.routing.halted("demo").id


@pytest.mark.req("INV7", "INV5")
def test_a_second_rollback_after_one_without_redis_does_not_haunt_the_next_attempt(
    world: Any,
) -> None:
    """Two halts, one on record and the other in routing: the new attempt answers the latter."""
    world.start()
    world.to_canary()
    first = back(world, replace(world.context, routing=Down()))
    second = back(world)
    assert first.incident == second.incident == world.case.state.incident
    assert world.routing.halted("demo").id != first.incident
    world.start()
    world.to_canary()
    assert world.routing.read("demo").split == 1000
    assert reconcile(world.context, "demo") == []
    assert (world.case.state.attempt, world.case.state.phase) == (2, "running")


@pytest.mark.req("INV4", "INV5")
def test_a_late_record_of_an_old_halt_does_not_roll_back_the_next_attempt(world: Any) -> None:
    """The run that wrote it slept through the record and the new start."""
    world.start()
    world.to_canary()
    back(world)
    halt = world.routing.halted("demo")
    world.start()
    record_halt(world.context, "demo", halt)
    assert (world.case.state.attempt, world.case.state.phase) == (2, "running")


@pytest.mark.req("INV5", "INV4")
def test_an_attempt_that_did_not_reach_routing_yet_can_be_rolled_back(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Routing still shows the halt of the attempt before; the new one gets its own incident."""
    world.start()
    world.to_canary()
    first = back(world)
    with monkeypatch.context() as patch:
        patch.setattr("switchover.engine.start.project", die)
        with pytest.raises(Killed):
            world.start()
    second = back(world, reason="not again")
    assert second.incident != first.incident
    assert world.case.state.phase == "rolled_back"
    world.start()
    world.to_canary()
    assert world.routing.read("demo").split == 1000
    assert world.case.state.attempt == 3


@pytest.mark.req("INV4", "INV1")
def test_a_start_between_ledger_and_routing_is_finished_by_starting_again(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One entry, one document."""
    with monkeypatch.context() as patch:
        patch.setattr("switchover.engine.start.project", die)
        with pytest.raises(Killed):
            world.start()
    assert world.routing.read("demo") is None
    world.start()
    assert kinds(world) == ["started"]
    assert world.routing.read("demo").mode == "legacy_only"


@pytest.mark.req("INV2", "INV3")
def test_a_routing_document_of_another_ledger_is_not_taken_over(world: Any) -> None:
    """Its epochs would be newer than all of ours: routing would never follow this ledger."""
    world.routing.write(Snapshot("demo", 30, "gradual", split=5000))
    with pytest.raises(Refused, match=r"another ledger.*switchover:\{demo\}:routing"):
        world.start()
    assert world.ledger.migrations() == []
    assert world.routing.read("demo").epoch == 30


@pytest.mark.req("INV1", "P1")
def test_work_that_two_runs_did_is_recorded_once(world: Any) -> None:
    """The second success adds nothing; a failure before it is kept."""
    world.start()
    world.work(ok=False)
    world.work()
    world.work()
    assert kinds(world).count("work_recorded") == 2
    assert world.case.state.work.ok


@pytest.mark.req("INV1")
@pytest.mark.parametrize("move", ["work", "data", "approve"])
def test_an_entry_in_between_costs_nobody_their_results(
    world: Any, monkeypatch: pytest.MonkeyPatch, move: str
) -> None:
    """A note that comes first is no reason to throw away checks or a person's decision."""
    world.start()
    if move == "approve":
        world.to_approval()
    original, once = InMemoryLedger.append, []

    def late(self: Any, migration: str, expected: int, *args: Any, **words: Any) -> Any:
        if not once:
            once.append(1)
            original(self, migration, expected, Noted(1.0, "t", "x"), **words)
        return original(self, migration, expected, *args, **words)

    monkeypatch.setattr(InMemoryLedger, "append", late)
    if move == "approve":
        decide_approval(world.context, "demo", "approve", approver="ada", via="cli")
        assert world.case.state.approval.status == "approved"
    else:
        getattr(world, move)()
        assert getattr(world.case.state, move).ok


@pytest.mark.req("INV5", "INV2")
def test_a_promote_that_meets_a_halt_reports_the_rollback(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its entry stays on record, and the rollback is the next one."""
    world.start()
    world.work()
    world.step()
    world.wait(1.1)
    world.traffic()
    append = Case.append

    def halted_first(self: Case, *args: Any, **words: Any) -> Case:
        after = append(self, *args, **words)
        if kinds(world)[-1] == "stage_entered":
            world.routing.halt("demo", halt_id="h", actor="bo", reason="smoke", at=1.0)
        return after

    monkeypatch.setattr(Case, "append", halted_first)
    outcome = world.step()
    assert (outcome.did, outcome.split) == (True, 0)
    assert "rolled back meanwhile: smoke" in outcome.sentence
    assert kinds(world)[-3:] == ["stage_entered", "rolled_back", "rollback_measured"]
    assert world.routing.read("demo").mode == "emergency_rollback"


@pytest.mark.req("R8", "INV5")
def test_a_ledger_that_lost_the_migration_stops_no_rollback(world: Any) -> None:
    """Routing knows it, and that is enough to send traffic back."""
    world.routing.write(Snapshot("demo", 30, "gradual", split=5000))
    outcome = back(world)
    assert not outcome.recorded
    assert "no migration" in outcome.pending[0]
    assert world.routing.read("demo").mode == "emergency_rollback"
