"""What a drill asks of the plan, and what becomes of one that fails; live ones are integration."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from switchover.engine import drill as module
from switchover.engine import measure as measuring
from switchover.engine.approve import abort
from switchover.engine.drill import drill
from switchover.engine.drills import drill_history, end_cut_off, trend
from switchover.engine.roll_back import roll_back
from switchover.engine.start import start
from switchover.engine.status import why
from switchover.errors import DependencyUnavailable, IllegalTransition, Refused
from switchover.judge.block import Block
from switchover.machine.event import DrillBegun, Drilled, StageEntered
from switchover.machine.state import Phase, State
from switchover.plan.runs import scheduled_runs
from switchover.plan.units import seconds
from switchover.testing.ledger import InMemoryLedger

pytestmark = pytest.mark.req("R7")

SECTION = {"max_age": "14d"}


@dataclass
class Room:
    """Rehearsals in memory; ``bad`` tells whether the candidate's failures are recorded."""

    world: Any
    bad: bool = True
    opened: int = 0
    follow: bool = True
    real_halt: Any = None

    @contextmanager
    def open(self, migration: str, slug: str, until: float) -> Iterator[Any]:
        """Make room."""
        self.opened += 1
        self.slug, self.ledger, self.routers = slug, InMemoryLedger(), 1
        yield self

    def call(self) -> float:
        """One block of failures, and a router that will have turned."""
        now = self.world.context.timestamp
        bad = 400 if self.bad else 0
        for system, count in (("candidate", bad), ("legacy", 0)):
            self.world.stream.add(
                Block(f"{self.slug}{system}", self.slug, "success_rate", system, now, 1, 400, count)
            )
        self.world.routing.acknowledge(self.slug, "r1", 1, now)
        return float(now)

    def halt(self, migration: str, **order: Any) -> Any:
        """The halt, which the router takes at once."""
        made = self.real_halt(migration, **order)
        if self.follow:
            self.world.routing.acknowledge(migration, "r1", made.epoch, made.at)
        return made

    def spared(self) -> bool:
        """Nobody is sent there."""
        return True


@pytest.fixture
def room(world: Any, monkeypatch: Any) -> Room:
    """Where the world rehearses; nobody waits for routers that won't come."""
    made = Room(world, real_halt=world.routing.halt)
    monkeypatch.setattr(world.routing, "halt", made.halt)
    monkeypatch.setattr(module, "ACKNOWLEDGE_TIMEOUT", 0.0)
    monkeypatch.setattr(measuring, "ACKNOWLEDGE_TIMEOUT", 0.0)
    world.context = replace(world.context, rehearsals=made)
    return made


def rehearse(world: Any) -> Drilled:
    """A drill without waiting."""
    return drill(world.context, "demo", actor="ada", sleep=lambda _: None)


def ready_to_leave_the_first_canary(world: Any) -> None:
    """All evidence is there."""
    world.to_canary()
    world.wait(1.1)
    world.traffic()


def test_a_step_past_the_first_canary_waits_for_a_fresh_drill(world: Any, room: Room) -> None:
    """The first canary begins without one; the next asks for it, and is asked for after it."""
    world.start(drill=SECTION)
    ready_to_leave_the_first_canary(world)
    outcome = world.step()
    assert outcome.action == "wait"
    assert outcome.sentence == (
        "the step needs a successful drill of the last 14 d, and there was none yet; "
        "`switchover drill demo` runs one"
    )
    assert why(world.context, "demo")["waiting_for"] == "drill"
    assert rehearse(world).ok
    assert world.step().action == "ask"


def test_a_drill_grows_old(world: Any, room: Room) -> None:
    """After max_age it has to be done again."""
    world.start(drill={"max_age": "30min"})
    world.to_canary()
    assert rehearse(world).ok
    world.wait(1.1)
    world.traffic()
    assert world.step().action == "wait"


@pytest.mark.parametrize("section", [None, {"required": False}])
def test_a_plan_that_does_not_ask_for_drills_needs_none(world: Any, section: Any) -> None:
    """Without the section, or with required: false."""
    world.start(**({"drill": section} if section else {}))
    ready_to_leave_the_first_canary(world)
    assert world.step().action == "ask"


@pytest.mark.req("INV5")
def test_a_missing_or_running_drill_never_blocks_a_rollback(world: Any) -> None:
    """Bad evidence rolls back in the midst of a real one, which is over then."""
    world.start(drill={"target": "real"})
    world.to_canary()
    world.case.append(DrillBegun(world.context.timestamp, "ada", "d", 9e9, True), actor="ada")
    roll_back(world.context, "demo", actor="bo", trigger="person", reason="bad")
    assert world.case.state.phase is Phase.ROLLED_BACK
    assert world.case.state.drill is None


@pytest.mark.req("R6")
def test_after_a_rollback_the_way_back_can_be_rehearsed_for_the_next_attempt(
    world: Any, room: Room
) -> None:
    """As its criteria ask: with a synthetic migration whatever the plan says, as no traffic is left
    to turn. The halt and the incident stand as before; what fails is on record, too."""
    world.start(drill={"target": "real"})
    world.to_canary()
    room.follow = False  # it has no live routers of its own
    back = roll_back(world.context, "demo", actor="bo", trigger="person", reason="bad")
    room.follow = True
    world.wait(1)
    before = world.case.state
    assert rehearse(world).ok
    state = world.case.state
    assert (state.phase, state.halt, state.incident) == (
        Phase.ROLLED_BACK, before.halt, back.incident,
    )  # fmt: skip
    assert state.inquiries == before.inquiries
    assert (state.drill, state.drilled) == (None, world.context.timestamp)
    stored = world.routing.read("demo")
    assert (stored.mode, stored.epoch) == ("emergency_rollback", state.epoch)
    [entry] = [e for e in world.context.ledger.entries("demo") if e.kind == "drilled"]
    assert not entry.payload["real"]
    room.bad = False
    failed = rehearse(world)
    assert "did not see a candidate" in failed.reason
    assert "changed meanwhile" not in failed.reason
    assert world.case.state.drilled == state.drilled


def test_a_migration_that_was_given_up_has_nothing_to_rehearse(world: Any, room: Room) -> None:
    """Legacy serves, and no other attempt was asked for."""
    world.start()
    abort(world.context, "demo", actor="ada", reason="later")
    with pytest.raises(Refused, match="demo is aborted: there is nothing to rehearse"):
        rehearse(world)


def test_a_failed_drill_is_on_record_and_counts_for_nothing(world: Any, room: Room) -> None:
    """A judge that sees nothing; no effect, no incident, no evidence of the real one."""
    world.start()
    world.to_canary()
    room.bad = False
    evidence, effects = world.ledger.evidence("demo"), len(world.ledger.effects("demo"))
    done = rehearse(world)
    assert not done.ok
    assert done.reason == "the judge did not see a candidate that always fails in 30 s"
    state = world.case.state
    assert (state.drilled, state.drill, state.incident, state.split) == (0.0, None, "", 1000)
    assert world.ledger.evidence("demo") == evidence
    assert len(world.ledger.effects("demo")) == effects


def test_routers_that_do_not_turn_make_it_fail(world: Any, room: Room) -> None:
    """It is their turn that the drill is about."""
    world.start()
    room.follow = False
    assert "0 of 1 of its own routers turned" in rehearse(world).reason


def test_live_routers_of_the_migration_that_do_not_follow_make_it_fail(
    world: Any, room: Room
) -> None:
    """A router that holds an old document would not hear of a rollback either."""
    world.start()
    world.routing.acknowledge("demo", "deaf", 1, world.context.timestamp)
    assert "1 live routers of demo do not follow: deaf" in rehearse(world).reason


def test_what_is_lost_on_the_way_ends_the_drill_and_brings_everything_back(
    world: Any, room: Room, monkeypatch: Any
) -> None:
    """A real drill that can't go on leaves the split as it was."""
    world.start(drill={"target": "real", "at_most": "1%"},
                stages=[{"kind": "canary", "percent": 1, "bake": "1h"},
                        {"kind": "canary", "percent": 100, "bake": "1h"}])  # fmt: skip
    assert world.step().action == "enter"

    def gone(*_: Any, **__: Any) -> None:
        assert world.routing.read("demo").split == 0
        raise DependencyUnavailable("Redis", "gone")

    monkeypatch.setattr(module, "collect", gone)
    done = rehearse(world)
    assert not done.ok
    assert world.case.state.split == 100
    assert world.routing.read("demo").split == 100


def test_a_real_drill_stops_steps_and_a_second_drill(world: Any, room: Room) -> None:
    """Until it ends legacy serves, so nothing may be promoted; one that died is ended."""
    world.start()
    world.to_canary()
    now = world.context.timestamp
    case = world.case.append(DrillBegun(now, "ada", "d", now + 60, True), actor="ada")
    assert (case.state.mode, case.state.split) == ("legacy_only", 0)
    assert world.step().sentence == "a drill is under way: legacy serves until it ends"
    with pytest.raises(Refused, match="drill d of demo is under way"):
        rehearse(world)
    entered = StageEntered(3, "canary 100 %", "gradual", 10000, 0, now, now)
    with pytest.raises(IllegalTransition, match="drill d is under way"):
        case.append(entered, actor="ada")
    assert end_cut_off(case) is None
    world.wait(0.1)
    ended = end_cut_off(world.case)
    assert ended is not None
    assert (ended.state.mode, ended.state.split) == ("gradual", 1000)
    assert rehearse(world).ok


def test_a_real_drill_before_any_traffic_rests_the_shadow_and_leaves_no_trace_in_the_journey(
    world: Any, room: Room, monkeypatch: Any
) -> None:
    """At 0 %: stage, phase, evidence and incidents are as before, and the shadow is back."""
    world.start(drill={"target": "real"})
    world.work()
    assert world.step().action == "enter"
    before, evidence = world.case.state, world.ledger.evidence("demo")
    assert (before.split, before.mode, before.shadow > 0) == (0, "parallel", True)
    world.routing.acknowledge("demo", "own", 99, world.context.timestamp)
    meanwhile, open_room = [], room.open
    monkeypatch.setattr(room, "open", lambda *order: (
        meanwhile.append(world.routing.read("demo").mode), open_room(*order)
    )[1])  # fmt: skip
    done = rehearse(world)
    assert (done.ok, done.real, done.own) == (True, True, 1), done.reason
    assert meanwhile == ["legacy_only"]
    kept = ("phase", "stage", "mode", "split", "shadow", "not_before", "entered_at", "incident",
            "inquiries", "halt", "alerts")  # fmt: skip
    after = world.case.state
    assert [getattr(after, name) for name in kept] == [getattr(before, name) for name in kept]
    assert world.ledger.evidence("demo") == evidence
    assert world.routing.read("demo").mode == "parallel"


def test_a_state_with_a_drill_survives_being_stored(world: Any) -> None:
    """It is read back from the ledger as it was written."""
    world.start()
    case = world.case.append(DrillBegun(1.0, "ada", "d", 60.0, True), actor="ada")
    assert State.from_dict(case.state.to_dict()) == case.state


def test_the_trend_sets_the_newest_drill_beside_those_before(world: Any, room: Room) -> None:
    """Ten are shown, failed ones too, and only good ones are compared."""
    world.start()
    for _ in range(11):
        rehearse(world)
    found = drill_history(world.ledger.entries("demo"))
    assert found is not None
    assert len(found["drills"]) == 10
    rows = [{"ok": ok, "total": total} for ok, total in
            [(True, 3.0), (False, 9.0), (True, 1.0), (True, 1.2)]]  # fmt: skip
    assert trend(rows) == (
        "3 of the last 4 succeeded; the newest took 3.00 s, slower than those before (1.10 s)"
    )


def test_a_plan_with_drills_has_a_schedule_for_them(world: Any) -> None:
    """By the clock of the plan's zone; without the section there is none."""
    section = {"cron": "0 7 * * 2"}
    (run,) = (r for r in scheduled_runs(world.plan(drill=section).plan) if "drill" in r.deployment)
    assert (run.deployment, run.slug, run.cron) == ("drill/drill", "demo-drill", "0 7 * * 2")
    assert not [r for r in scheduled_runs(world.plan().plan) if "drill" in r.deployment]
    assert world.plan(drill={}).plan.drill.max_age == seconds("30d")


@pytest.mark.req("R9")
def test_each_version_of_the_plan_orders_its_runbook_once(world: Any) -> None:
    """The same plan again orders none, another attempt with another plan one."""

    def ordered() -> list[str]:
        effects = world.ledger.effects("demo")
        return [row["key"] for row in effects if row["kind"] == "runbook"]

    world.start()
    start(world.context, world.plan(), actor="carl")
    assert ordered() == ["demo:runbook:1"]
    roll_back(world.context, "demo", actor="bo", trigger="person", reason="bad")
    world.start(title="Another")
    assert ordered() == ["demo:runbook:1", "demo:runbook:2"]
