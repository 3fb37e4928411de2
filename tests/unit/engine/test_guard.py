"""A guard sweeps without a pause, acts once however many there are, and outlives its servers."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest

from switchover.engine.errands import Errands
from switchover.engine.guard import (
    Patrol,
    news,
    patrol,
    rest,
    say_alive,
)
from switchover.engine.status import status
from switchover.engine.watchers import watch_words, watched_by
from switchover.errors import DependencyUnavailable, NoLedger
from switchover.machine.event import RolledBack
from switchover.machine.state import Phase
from switchover.ports.guards import GuardBeat
from switchover.testing.guards import InMemoryGuards
from tests.eventually import eventually

PATIENCE = 10.0


class Down:
    """A port whose server is away, until it is not."""

    def __init__(self, port: Any, name: str) -> None:
        self.port, self.name, self.away = port, name, True

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.port, name)

        def call(*args: Any, **words: Any) -> Any:
            if self.away:
                raise DependencyUnavailable(self.name, "nobody answers")
            return method(*args, **words)

        return call


def failing(world: Any) -> None:
    """Everything that the candidate answers is wrong, and nobody has looked yet."""
    for system, bad in (("legacy", 0), ("candidate", 500)):
        world.stream.add(world.block("success_rate", system, 500, bad))


def rollbacks(world: Any) -> int:
    return sum(entry.kind == RolledBack.kind for entry in world.ledger.entries("demo"))


@pytest.mark.req("R3")
def test_a_guard_rolls_back_what_is_bad_in_one_sweep(world: Any) -> None:
    """It collects, judges and acts; the next sweep finds it done."""
    world.start()
    world.to_canary()
    assert [out.action for out in patrol(world.context, actor="guard").acted] == ["look"]
    assert not patrol(world.context, actor="guard").acted
    failing(world)
    done = patrol(world.context, actor="guard")
    assert [out.action for out in done.acted] == ["roll_back"]
    assert world.case.state.phase is Phase.ROLLED_BACK
    assert not patrol(world.context, actor="guard").acted
    assert world.ledger.entries("demo")[-1].actor == "guard"


@pytest.mark.req("R3")
def test_three_guards_make_one_rollback_and_one_page(world: Any) -> None:
    """All see the same evidence at the same moment; every effect is performed once."""
    world.start(notify={"slack_channel": "#ops"})
    world.to_canary()
    failing(world)
    gate, done = threading.Barrier(3), list[Patrol]()

    def guard(name: str) -> None:
        gate.wait()
        done.append(patrol(world.context, actor=name))

    threads = [threading.Thread(target=guard, args=(f"guard-{n}",)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(done) == 3
    assert rollbacks(world) == 1
    with Errands(world.context), Errands(world.context), Errands(world.context) as errands:
        errands.call()
        assert eventually(lambda: any(effect.kind == "page" for effect in world.effects))
    kinds = [effect.kind for effect in world.effects]
    assert kinds.count("page") == 1
    assert len({effect.key for effect in world.effects}) == len(world.effects)


@pytest.mark.req("R3")
def test_a_guard_watches_only_what_it_was_told_to(world: Any) -> None:
    """Another migration's failure is none of its business."""
    world.start()
    world.to_canary()
    failing(world)
    assert patrol(world.context, actor="guard", only=("other",)).looks == 0
    assert world.case.state.phase is Phase.RUNNING


@pytest.mark.req("R8")
@pytest.mark.parametrize("port", ["ledger", "routing", "stream"])
def test_a_guard_survives_an_outage_and_goes_on(world: Any, port: str) -> None:
    """What can't be reached can't be judged by: it says so once, and judges when it is back."""
    world.start()
    world.to_canary()
    failing(world)
    server = Down(getattr(world.context, port), port)
    context = replace(world.context, **{port: server})
    first, second = (patrol(context, actor="guard") for _ in range(2))
    assert port in first.trouble
    assert [each.event for each in news(Patrol(), first)] == ["trouble"]
    assert not news(first, second), "it is not repeated every second"
    assert world.case.state.phase is Phase.RUNNING
    server.away = False
    third = patrol(context, actor="guard")
    assert [each.event for each in news(second, third)] == ["acted", "recovered"]
    assert world.case.state.phase is Phase.ROLLED_BACK


@pytest.mark.req("R8")
def test_a_fault_of_our_own_does_not_end_the_guard(world: Any) -> None:
    """Whatever goes wrong is trouble to be told, and no reason to stop looking."""

    class Broken:
        def migrations(self) -> None:
            raise ZeroDivisionError("a bug")

    done = patrol(replace(world.context, ledger=Broken()), actor="guard")
    assert "ZeroDivisionError: a bug" in done.trouble


@pytest.mark.req("R8")
def test_an_empty_ledger_is_no_trouble(world: Any) -> None:
    """A guard may be there before the first migration."""

    class Empty:
        def migrations(self) -> None:
            raise NoLedger("database", "no schema")

    assert not patrol(replace(world.context, ledger=Empty()), actor="guard").trouble


@pytest.mark.req("R8")
def test_prefect_and_slack_being_slow_delay_no_sweep(world: Any) -> None:
    """Effects are performed elsewhere: while one hangs, the rollback is done and others go on."""
    let_go, hung, started = threading.Event(), threading.Event(), threading.Event()

    def hang(effect: Any) -> dict[str, Any]:
        hung.set()
        assert let_go.wait(PATIENCE)
        return {}

    def quick(effect: Any) -> dict[str, Any]:
        started.set()
        return {"run": "r"}

    handlers = {**world.context.handlers, "page": hang, "incident_report": quick}
    context = replace(world.context, handlers=handlers)
    world.start(notify={"slack_channel": "#ops"})
    world.to_canary()
    failing(world)
    with Errands(context) as errands:
        assert patrol(context, actor="guard").acted
        errands.call()
        assert hung.wait(PATIENCE)
        assert started.wait(PATIENCE)
        assert patrol(context, actor="guard").looks == 0, "nothing is left to look at"
        let_go.set()


@pytest.mark.req("R8")
def test_errands_survive_a_database_that_is_down(world: Any) -> None:
    """They wait, and are done when it is back, without anybody calling again."""
    world.start(notify={"slack_channel": "#ops"})
    world.to_canary()
    failing(world)
    patrol(world.context, actor="guard")
    server = Down(world.ledger, "ledger")
    with Errands(replace(world.context, ledger=server), every=0.01) as errands:
        errands.call()
        assert not eventually(lambda: bool(world.effects), 0.2)
        server.away = False
        assert eventually(lambda: any(effect.kind == "page" for effect in world.effects))


@pytest.mark.req("R3")
def test_a_guard_knows_where_evidence_builds(world: Any) -> None:
    """So it looks there again before its next sweep; all is well where nothing fails."""
    world.start()
    world.to_canary()
    for system in ("legacy", "candidate"):
        world.stream.add(world.block("success_rate", system, 500, 0))
    assert patrol(world.context, actor="guard").uneasy == ()
    for _ in range(100):
        world.stream.add(world.block("success_rate", "candidate", 1, 1))
        done = patrol(world.context, actor="guard")
        if done.uneasy:
            break
    assert done.uneasy == ("demo",)
    assert not any(out.action == "roll_back" for out in done.acted)


@pytest.mark.req("O7")
def test_a_sweep_that_takes_long_leaves_room_for_others() -> None:
    """The pace is kept where it can be; there is a rest in any case."""
    assert rest(1.0, 0.3) == pytest.approx(0.7)
    assert rest(1.0, 5.0) == pytest.approx(0.1)


@pytest.mark.req("O7")
def test_a_single_migration_that_fails_is_told_as_it_comes_and_goes() -> None:
    """Not once a second, and not instead of what was done elsewhere."""
    fine, bad = Patrol(looks=2), Patrol(looks=1, errors={"mood": "its plan can't be read"})
    [told] = news(fine, bad)
    assert told.to_dict() == {
        "event": "error", "migration": "mood", "text": "its plan can't be read",
    }  # fmt: skip
    assert not news(bad, bad)
    assert [each.event for each in news(bad, fine)] == ["recovered"]


@pytest.mark.req("O7")
def test_everybody_sees_who_watches(world: Any) -> None:
    """By migration; guards that can't judge don't count, and too few are told."""
    world.start()
    guards = InMemoryGuards(world.clock, wanted=2)
    context = replace(world.context, guards=guards)
    assert status(world.context, "demo")["guards"] is None
    assert "watched by no guard, 2 wanted" in status(context, "demo")["guards"]
    assert say_alive(context, "a", 1.0, (), Patrol(3)) == ""
    assert say_alive(context, "b", 1.0, ("other",), Patrol(1)) == ""
    assert watched_by(guards, "demo") == "watched by 1 guard, 2 wanted, last sweep 0.0 s ago"
    assert watched_by(guards) == "watched by 2 guards, last sweep 0.0 s ago"
    guards.say(GuardBeat("a", 1.0, 0.1, 0, trouble="no database"))
    assert watched_by(guards, "demo").endswith("a can't judge: no database")
    assert watch_words([]) == "watched by no guard, by monitor every minute"


@pytest.mark.req("R8")
def test_a_heartbeat_that_is_not_heard_is_told(world: Any) -> None:
    """And is no reason to stop."""
    guards = Down(InMemoryGuards(world.clock), "Redis")
    context = replace(world.context, guards=guards)
    assert "nobody answers" in say_alive(context, "a", 1.0, (), Patrol())
