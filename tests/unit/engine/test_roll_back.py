"""Back to legacy: first, once, measured, and whatever is broken."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from switchover.engine.drain import drain
from switchover.engine.reconcile import reconcile
from switchover.engine.roll_back import roll_back
from switchover.errors import DependencyUnavailable, InputError, StaleEpoch
from switchover.machine.flag import read_flags
from switchover.routing.flags import compile_flags
from switchover.routing.snapshot import compile_snapshot


class Down:
    """A dependency that does not answer."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, method: str) -> Any:
        def refuse(*args: Any, **kwargs: Any) -> Any:
            raise DependencyUnavailable(self._name, "connection refused")

        return refuse


def back(world: Any, context: Any = None, **more: str) -> Any:
    """Roll back by hand."""
    words = {"actor": "bo", "trigger": "person", "reason": "smoke", **more}
    return roll_back(context or world.context, "demo", **words)


def flag_on(world: Any, key: int) -> bool:
    """Whether a router with the present document has the candidate's flag on for ``key``."""
    snapshot = world.routing.read("demo")
    flags = compile_flags(read_flags(snapshot.flags), snapshot.salt, compile_snapshot(snapshot))
    return flags["new-format"][-1](f"key-{key}").on


@pytest.mark.req("R1", "INV2")
def test_a_rollback_is_measured_to_the_last_routers_acknowledgement(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seconds and routers are in the outcome and in the ledger."""
    world.start()
    world.to_canary()
    stop = world.routing.halt

    def with_routers(migration: str, **words: Any) -> Any:
        halt = stop(migration, **words)
        for router, late in (("a", 0.02), ("b", 0.05)):
            world.routing.acknowledge("demo", router, halt.epoch, halt.at + late)
        return halt

    monkeypatch.setattr(world.routing, "halt", with_routers)
    outcome = back(world)
    assert outcome.routers == 2
    assert outcome.complete
    assert outcome.seconds == pytest.approx(0.05, abs=1e-6)
    entry = world.ledger.entries("demo")[-1]
    assert (entry.kind, entry.payload["routers"]) == ("rollback_measured", 2)


@pytest.mark.req("INV4", "INV5")
def test_asking_twice_gives_one_rollback_and_one_incident(world: Any) -> None:
    """The second call reports the first one's incident."""
    world.start()
    world.to_canary()
    first, second = back(world), back(world, reason="again")
    assert first.incident == second.incident
    kinds = [entry.kind for entry in world.ledger.entries("demo")]
    assert kinds.count("rolled_back") == kinds.count("rollback_measured") == 1
    drain(world.context)
    reports = [e for e in world.effects if e.kind == "incident_report"]
    assert len({e.key for e in reports}) == len(reports) == 2


@pytest.mark.req("INV5")
@pytest.mark.parametrize("walk", ["start", "to_canary", "to_approval", "complete", "aborted"])
def test_a_rollback_works_from_every_phase(world: Any, walk: str) -> None:
    """Also from complete, where the candidate serves everything."""
    from switchover.engine.approve import abort, decide_approval

    world.start()
    if walk == "complete":
        world.to_approval()
        decide_approval(world.context, "demo", "approve", approver="ada", via="cli")
        world.step()
        world.wait(1.1)
        world.traffic()
        world.step()
        assert world.case.state.phase == "complete"
    elif walk == "aborted":
        abort(world.context, "demo", actor="ada", reason="x")
    elif walk != "start":
        getattr(world, walk)()
    assert back(world).recorded
    assert world.case.state.phase == "rolled_back"
    assert world.routing.read("demo").mode == "emergency_rollback"


@pytest.mark.req("INV7", "R8", "INV2")
def test_with_the_database_down_traffic_still_goes_back_and_is_recorded_later(world: Any) -> None:
    """Routing first; reconcile completes the ledger from the halt, once."""
    world.start()
    world.to_canary()
    broken = replace(world.context, ledger=Down("database"))
    outcome = back(world, broken)
    assert not outcome.recorded
    assert "database" in outcome.pending[0]
    assert world.routing.read("demo").mode == "emergency_rollback"
    assert world.case.state.phase == "running"
    assert any(outcome.incident in repair for repair in reconcile(world.context, "demo"))
    assert world.case.state.phase == "rolled_back"
    assert world.case.state.incident == outcome.incident
    assert reconcile(world.context, "demo") == []
    entry = next(e for e in world.ledger.entries("demo") if e.kind == "rolled_back")
    assert (entry.payload["actor"], entry.payload["reason"]) == ("bo", "smoke")


@pytest.mark.req("INV7", "R8")
def test_with_redis_down_the_rollback_is_recorded_and_routing_follows(world: Any) -> None:
    """Routers turn by themselves; the document is written when Redis is back."""
    world.start()
    world.to_canary()
    outcome = back(world, replace(world.context, routing=Down("Redis")))
    assert outcome.recorded
    assert outcome.seconds is None
    assert "by themselves" in outcome.pending[0]
    reconcile(world.context, "demo")
    assert world.routing.read("demo").mode == "emergency_rollback"


@pytest.mark.req("INV7")
def test_with_both_down_the_error_names_both(world: Any) -> None:
    """Nothing could be done, and the message says so."""
    world.start()
    with pytest.raises(DependencyUnavailable, match="Redis and the database"):
        back(world, replace(world.context, routing=Down("Redis"), ledger=Down("database")))


@pytest.mark.req("INV5", "INV3")
def test_rollback_wins_over_a_concurrent_promote(world: Any) -> None:
    """A promote that committed its entry but not its routing comes too late."""
    world.start()
    world.to_canary()
    late = replace(world.case.state.snapshot(), epoch=world.case.state.revision + 50, split=5000)
    back(world)
    with pytest.raises(StaleEpoch, match="halt"):
        world.routing.write(late)
    assert not world.routing.read("demo").serves_candidate


@pytest.mark.req("INV5")
def test_a_typing_error_halts_nothing(world: Any) -> None:
    """A migration that nobody knows is bad input."""
    with pytest.raises(InputError, match="demo"):
        back(world)
    assert world.routing.halted("demo") is None


@pytest.mark.req("R6", "INV8")
def test_another_attempt_starts_at_zero_with_the_same_salt_and_can_roll_back_again(
    world: Any,
) -> None:
    """The retry gets a halt of its own."""
    world.start()
    salt = world.case.state.salt
    world.to_canary()
    first = back(world)
    world.start()
    assert (world.case.state.attempt, world.case.state.split) == (2, 0)
    assert world.routing.read("demo").mode == "legacy_only"
    assert world.case.state.salt == salt
    world.to_canary()
    second = back(world)
    assert second.incident != first.incident
    assert world.routing.read("demo").mode == "emergency_rollback"


@pytest.mark.req("INV12")
def test_evidence_of_a_failed_attempt_does_not_count_against_the_next(world: Any) -> None:
    """A new attempt is judged by its own traffic."""
    world.start()
    world.to_canary()
    world.traffic(bad=1500)
    assert world.step().action == "roll_back"
    world.start()
    world.to_canary()
    world.wait(1.1)
    world.traffic()
    assert world.step().action == "ask"


@pytest.mark.req("R1")
def test_the_candidates_flags_are_on_while_it_serves_and_off_after_a_rollback(world: Any) -> None:
    """Flags follow the routing document: on from the first canary, off at once."""
    world.start()
    assert not any(flag_on(world, key) for key in range(100))
    world.to_canary()
    assert any(flag_on(world, key) for key in range(100))
    back(world)
    assert not any(flag_on(world, key) for key in range(100))
    rolled_back = [e for e in world.ledger.entries("demo") if e.kind == "rolled_back"]
    assert rolled_back[0].payload["flags"] == ["new-format"]


@pytest.mark.req("INV11")
def test_the_entry_names_who_ordered_it_not_who_ordered_an_earlier_one(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another attempt that never reached routing still stands under the first halt."""
    world.start()
    world.to_canary()
    back(world, actor="ann")
    with monkeypatch.context() as patch:
        patch.setattr("switchover.engine.start.project", lambda case: False)
        world.start()
    back(world, actor="bob")
    entries = [e for e in world.ledger.entries("demo") if e.kind == "rolled_back"]
    assert [(e.actor, e.payload["actor"]) for e in entries] == [("ann", "ann"), ("bob", "bob")]


@pytest.mark.req("INV5", "INV7")
def test_a_plan_that_cant_be_read_any_more_keeps_no_traffic_at_the_candidate(world: Any) -> None:
    """After an update of Switchover that reads plans more strictly: traffic turns, and the answer
    says why the record is missing."""
    world.start()
    world.to_canary()
    known = world.ledger._known("demo")
    known.plans[-1] = replace(known.plans[-1], document={**known.plans[-1].document, "stages": 1})
    outcome = roll_back(world.context, "demo", actor="ada", trigger="person", reason="bad")
    assert not world.routing.read("demo").serves_candidate
    assert outcome.unconfirmed() is None
    assert not outcome.recorded
    assert "plan of demo can't be read by this version (stages: " in outcome.pending[0]
