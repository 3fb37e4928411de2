"""Orders that Redis or the ledger could not take: carried out later, once, and never too late."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest

from switchover.engine.approve import decide_approval
from switchover.engine.context import Context
from switchover.engine.reconcile import reconcile, reconcile_waiting
from switchover.engine.roll_back import roll_back
from switchover.engine.spool import ALONE
from switchover.engine.status import status
from switchover.engine.sweep import sweep
from switchover.errors import DependencyUnavailable, InputError, PointOfNoReturn
from switchover.machine.state import Phase
from switchover.testing.ledger import InMemoryLedger
from switchover.testing.routing import InMemoryRoutingStore
from switchover.testing.spool import InMemorySpool

pytestmark = pytest.mark.req("R8", "INV7", "INV5")


class Down:
    """A dependency that does not answer."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, method: str) -> Any:
        def refuse(*args: Any, **kwargs: Any) -> Any:
            raise DependencyUnavailable(self._name, "connection refused")

        return refuse


NO_REDIS, NO_LEDGER = {"routing": Down("Redis")}, {"ledger": Down("database")}
NOTHING = {**NO_REDIS, **NO_LEDGER}


@pytest.fixture
def spooled(world: Any) -> Any:
    """The world with a spool, at its first canary."""
    world.context = replace(world.context, spool=InMemorySpool())
    world.start()
    world.to_canary()
    return world


def back(context: Context, reason: str = "smoke", **more: Any) -> Any:
    """Roll back by hand."""
    return roll_back(context, "demo", actor="bo", trigger="person", reason=reason, **more)


def broken(world: Any, **ports: Any) -> Context:
    """The same engine with some of its ports down."""
    return replace(world.context, **ports)


def order_in_vain(world: Any, **more: Any) -> None:
    """Roll back while both are down."""
    with pytest.raises(DependencyUnavailable, match="the order waits in memory"):
        back(broken(world, **NOTHING), **more)


def rollbacks(world: Any) -> list[dict[str, Any]]:
    """What the ledger has of them."""
    entries = world.ledger.entries("demo")
    return [entry.payload for entry in entries if entry.kind == "rolled_back"]


def waiting(world: Any) -> int:
    """How many orders wait."""
    return len(world.context.spool.orders())


def test_an_order_that_nobody_could_take_is_carried_out_by_the_next_run(spooled: Any) -> None:
    """With its own reason, actor, trigger and time; traffic and record both."""
    at = spooled.context.timestamp
    order_in_vain(spooled)
    assert spooled.routing.read("demo").serves_candidate
    spooled.wait(0.1)
    assert reconcile(spooled.context, "demo") != []
    [entry] = rollbacks(spooled)
    said = entry["reason"], entry["actor"], entry["trigger"], entry["at"]
    assert said == ("smoke", "bo", "person", at)
    assert spooled.routing.read("demo").mode == "emergency_rollback"
    assert waiting(spooled) == 0
    assert reconcile(spooled.context, "demo") == []


def test_with_redis_alone_back_traffic_turns_and_the_record_follows(spooled: Any) -> None:
    """The order stays for the ledger, which takes it once, under the halt's own id."""
    order_in_vain(spooled)
    [order] = spooled.context.spool.orders()
    with_redis = broken(spooled, **NO_LEDGER)
    done, faults = reconcile_waiting(with_redis)
    assert "turned the traffic" in done[0]
    assert "database" in faults["demo"]
    assert spooled.routing.halted("demo").id == order.halt.id
    reconcile_waiting(with_redis)
    assert waiting(spooled) == 1
    reconcile_waiting(spooled.context)
    assert [entry["halt"] for entry in rollbacks(spooled)] == [order.halt.id]
    assert waiting(spooled) == 0


def test_with_the_ledger_alone_back_it_is_recorded_and_waits_for_redis(spooled: Any) -> None:
    """One entry, however often it is tried; then routing follows."""
    order_in_vain(spooled)
    for _ in range(3):
        reconcile_waiting(broken(spooled, **NO_REDIS))
    assert len(rollbacks(spooled)) == 1
    assert waiting(spooled) == 1
    reconcile_waiting(spooled.context)
    assert not spooled.routing.read("demo").serves_candidate
    assert (len(rollbacks(spooled)), waiting(spooled)) == (1, 0)


def test_a_halt_that_redis_lost_before_it_was_recorded_is_not_lost(spooled: Any) -> None:
    """Redis comes back empty and the ledger still down: it is halted again, and recorded later."""
    outcome = back(broken(spooled, **NO_LEDGER))
    assert not outcome.recorded
    emptied = InMemoryRoutingStore()
    spooled.context = replace(spooled.context, routing=emptied)
    reconcile_waiting(broken(spooled, **NO_LEDGER))
    assert emptied.read("demo").mode == "emergency_rollback"
    reconcile_waiting(spooled.context)
    assert [entry["incident"] for entry in rollbacks(spooled)] == [outcome.incident]
    assert rollbacks(spooled)[0]["reason"] == "smoke"
    assert not emptied.read("demo").serves_candidate


def test_a_halt_that_redis_fell_back_behind_is_given_again(spooled: Any) -> None:
    """A replica without the last writes took over, the ledger still down: the candidate would
    serve again. The document is older than the halt, so it is no answer to it."""
    before = spooled.routing.read("demo")
    back(broken(spooled, **NO_LEDGER))
    replica = InMemoryRoutingStore()
    replica.write(before)
    spooled.context = replace(spooled.context, routing=replica)
    reconcile_waiting(broken(spooled, **NO_LEDGER))
    assert not replica.read("demo").serves_candidate
    reconcile_waiting(spooled.context)
    assert (len(rollbacks(spooled)), waiting(spooled)) == (1, 0)


@pytest.mark.parametrize("methods", ["read standings", "append"])
def test_a_ledger_that_can_not_record_it_stops_neither_the_traffic_nor_a_sweep(
    spooled: Any, methods: str
) -> None:
    """Its schema is another version's, or it can't store the words: others are looked at, the
    traffic turns, and the order waits until somebody has mended it."""

    class Odd:
        def __getattr__(self, name: str) -> Any:
            return getattr(spooled.ledger, name)

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise InputError("another version's; upgrade it")

    order_in_vain(spooled)
    odd = Odd()
    for method in methods.split():
        setattr(odd, method, refuse)
    found = sweep(broken(spooled, ledger=odd), actor="guard")
    assert "another version's" in found.errors["demo"]
    assert not spooled.routing.read("demo").serves_candidate
    assert waiting(spooled) == 1
    reconcile_waiting(spooled.context)
    assert (len(rollbacks(spooled)), waiting(spooled)) == (1, 0)


def test_an_old_order_does_not_undo_a_newer_attempt(spooled: Any) -> None:
    """Another host rolled back and started again; the order here is dropped, and said to be."""
    order_in_vain(spooled)
    spooled.wait(0.1)
    elsewhere = replace(spooled.context, spool=InMemorySpool())
    here, spooled.context = spooled.context, elsewhere
    back(elsewhere, "the other host")
    spooled.start()
    spooled.to_canary()
    spooled.context = here
    assert ["another attempt has begun" in line for line in reconcile(here, "demo")] == [True]
    assert spooled.case.state.phase is Phase.RUNNING
    assert spooled.routing.read("demo").serves_candidate
    assert [entry["reason"] for entry in rollbacks(spooled)] == ["the other host"]
    assert waiting(spooled) == 0


def test_an_answered_halt_is_not_repeated_while_the_ledger_is_down(spooled: Any) -> None:
    """Its document was replaced by a newer attempt's: only the ledger can say what holds."""
    back(broken(spooled, **NO_LEDGER))
    here = spooled.context
    spooled.context = replace(here, spool=InMemorySpool())
    reconcile(spooled.context, "demo")
    spooled.start()
    spooled.to_canary()
    reconcile_waiting(replace(here, **NO_LEDGER))
    assert spooled.routing.read("demo").serves_candidate
    reconcile_waiting(here)
    assert spooled.routing.read("demo").serves_candidate
    assert not here.spool.orders()


def test_an_order_that_redis_never_saw_is_not_carried_out_late_without_the_ledger(
    spooled: Any,
) -> None:
    """After an hour nobody but the ledger knows what became of the migration."""
    order_in_vain(spooled)
    spooled.wait(ALONE / 3600 + 0.1)
    reconcile_waiting(broken(spooled, **NO_LEDGER))
    assert spooled.routing.read("demo").serves_candidate
    reconcile_waiting(spooled.context)
    assert not spooled.routing.read("demo").serves_candidate


def test_a_promotion_in_between_does_not_outlive_the_order(spooled: Any) -> None:
    """Rollback beats a step forward that somebody took who could not know."""
    order_in_vain(spooled)
    elsewhere = replace(spooled.context, spool=InMemorySpool())
    here, spooled.context = spooled.context, elsewhere
    spooled.wait(1.1)
    spooled.traffic()
    assert spooled.step().action == "ask"
    spooled.context = here
    reconcile(here, "demo")
    assert spooled.case.state.phase is Phase.ROLLED_BACK
    assert not spooled.routing.read("demo").serves_candidate


def test_many_at_once_carry_an_order_out_once(spooled: Any) -> None:
    """Eight runs of the same moment: one entry, one halt, one measurement."""
    order_in_vain(spooled)
    begin = threading.Barrier(8)
    faults: list[Exception] = []

    def run() -> None:
        begin.wait()
        try:
            reconcile(spooled.context, "demo")
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kinds = [entry.kind for entry in spooled.ledger.entries("demo")]
    assert (faults, kinds.count("rolled_back")) == ([], 1)
    assert kinds.count("rollback_measured") == 1
    assert waiting(spooled) == 0


def test_orders_given_twice_are_one_rollback(spooled: Any) -> None:
    """The first reason counts; the second order finds that it is done."""
    order_in_vain(spooled)
    spooled.wait(0.1)
    order_in_vain(spooled, reason="still smoke")
    assert waiting(spooled) == 2
    reconcile(spooled.context, "demo")
    assert [entry["reason"] for entry in rollbacks(spooled)] == ["smoke"]
    assert waiting(spooled) == 0


def test_a_flow_that_tries_again_and_again_leaves_one_order(spooled: Any) -> None:
    """The same words within a minute are the same order."""
    order_in_vain(spooled)
    with pytest.raises(DependencyUnavailable, match="waits in the spool already"):
        back(broken(spooled, **NOTHING))
    assert waiting(spooled) == 1


def test_a_misspelt_name_is_dropped_when_the_ledger_is_back(spooled: Any) -> None:
    """Nobody could say so at the time."""
    with pytest.raises(DependencyUnavailable):
        roll_back(broken(spooled, **NOTHING), "dmeo", actor="bo", trigger="person", reason="r")
    [done], faults = reconcile_waiting(spooled.context)
    assert waiting(spooled) == 0
    assert "no migration 'dmeo'" in done
    assert faults == {}


def test_a_ledger_that_lost_the_migration_does_not_lose_the_order(spooled: Any) -> None:
    """Or a command that was run with another database: routing knows it, and turns."""
    order_in_vain(spooled)
    other = broken(spooled, ledger=InMemoryLedger())
    assert "turned the traffic" in reconcile_waiting(other)[0][0]
    assert not spooled.routing.read("demo").serves_candidate
    assert waiting(spooled) == 0
    reconcile(spooled.context, "demo")
    assert [entry["reason"] for entry in rollbacks(spooled)] == ["smoke"]


def test_a_refused_order_does_not_wait(spooled: Any) -> None:
    """Past the point of no return, and for an unknown name, with Redis down."""
    with pytest.raises(InputError):
        roll_back(broken(spooled, **NO_REDIS), "dmeo", actor="bo", trigger="person", reason="r")
    assert waiting(spooled) == 0


def test_past_the_point_of_no_return_an_order_waits_only_if_somebody_insists(world: Any) -> None:
    """The other one is dropped when the ledger can say so."""
    world.context = replace(world.context, spool=InMemorySpool())
    stages = [
        {"kind": "checks"},
        {"kind": "shadow", "bake": "1h"},
        {"kind": "canary", "percent": 10, "bake": "1h"},
        {"kind": "canary", "percent": 50, "bake": "1h", "approval": True,
         "reversibility": "point_of_no_return"},
    ]  # fmt: skip
    world.start(stages=stages)
    world.to_approval()
    decide_approval(world.context, "demo", "approve", approver="ada", via="cli")
    assert world.step().action == "enter"
    assert world.case.state.no_return
    order_in_vain(world)
    with pytest.raises(PointOfNoReturn):
        back(broken(world, **NO_REDIS))
    done, _ = reconcile_waiting(world.context)
    assert waiting(world) == 0
    assert "point of no return" in done[0]
    assert world.case.state.phase is Phase.RUNNING
    order_in_vain(world, insist=True)
    reconcile_waiting(world.context)
    assert world.case.state.phase is Phase.ROLLED_BACK


def test_a_spool_that_can_not_be_written_is_said_and_the_rollback_goes_on(spooled: Any) -> None:
    """Routing turns, the ledger's record is completed from the halt as ever."""

    class Full(InMemorySpool):
        def put(self, order: Any) -> str:
            raise DependencyUnavailable("spool", "no space left on device")

    outcome = back(broken(spooled, **NO_LEDGER, spool=Full()))
    assert not spooled.routing.read("demo").serves_candidate
    assert any("no space left" in line and "not kept" in line for line in outcome.pending)
    reconcile(spooled.context, "demo")
    assert len(rollbacks(spooled)) == 1


def test_a_healthy_rollback_leaves_nothing_in_the_spool(spooled: Any) -> None:
    """Nor does one that Redis takes while it is recorded."""
    back(spooled.context)
    assert waiting(spooled) == 0


def test_status_shows_what_waits(spooled: Any) -> None:
    """With who asked, and why."""
    order_in_vain(spooled)
    [shown] = status(spooled.context, "demo")["spool"]
    assert (shown["actor"], shown["reason"]) == ("bo", "smoke")


def test_a_sweep_carries_orders_out_even_for_what_nobody_watches(spooled: Any) -> None:
    """And turns the traffic while the ledger, which it sweeps by, is down."""
    order_in_vain(spooled)
    with pytest.raises(DependencyUnavailable):
        sweep(broken(spooled, **NO_LEDGER), actor="guard")
    assert not spooled.routing.read("demo").serves_candidate
    sweep(spooled.context, actor="guard")
    assert (len(rollbacks(spooled)), waiting(spooled)) == (1, 0)
