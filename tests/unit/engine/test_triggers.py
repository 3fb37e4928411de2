"""Triggers in the engine: RED rolls back from every phase, AMBER holds, nothing known is told."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import Any

import pytest

from switchover.engine.approve import decide_approval
from switchover.engine.context import Context
from switchover.engine.freeze import freeze
from switchover.engine.hold import hold
from switchover.engine.monitor import look
from switchover.engine.probing import Probing
from switchover.engine.status import status, why
from switchover.errors import InputError
from switchover.testing.probes import ScriptedProbes

SLACK = {"slack_channel": "#demo"}
#: Loose enough that no gate minds what the triggers mind.
GATES = [{"metric": "success_rate", "at_least": "5%"},
         {"metric": "prediction_latency_p99", "at_most": "200ms"}]  # fmt: skip
FAILING = {"name": "failing", "metric": "success_rate", "at_least": "70%", "over": "2m"}
ISOLATION = {"name": "isolation", "metric": "isolation_violations", "at_most": 0}
DELIVERY = {"name": "delivery", "metric": "event_delivery_rate", "at_least": "95%"}
PATH = {"name": "golden path", "probe": {"kind": "http", "name": "p", "system": "candidate"},
        "after": "5m", "every": "30s"}  # fmt: skip


def begin(world: Any, *red: Any, amber: Any = (), **changes: Any) -> None:
    """To the first canary stage of a plan with these triggers."""
    triggers = {"red": list(red), "amber": list(amber)}
    world.start(**{"notify": SLACK, "gates": GATES, "triggers": triggers, **changes})
    world.to_canary()


def probing(world: Any, probes: ScriptedProbes, patience: float = 10.0) -> Context:
    """The world's context as another process would have it: with a pool of its own."""
    return replace(world.context, probes=probes, probing=Probing(patience))


def approve(world: Any) -> None:
    decide_approval(world.context, "demo", "approve", approver="ada", via="cli")


def entries(world: Any, kind: str) -> list[Any]:
    return [entry for entry in world.ledger.entries("demo") if entry.kind == kind]


def send(world: Any, metric: str, n: int, bad: int = 0) -> None:
    """Ship one block of the candidate."""
    world.stream.add(world.block(metric, "candidate", n, bad))


@pytest.mark.req("R3")
def test_one_isolation_violation_rolls_back_at_the_next_look(world: Any) -> None:
    """One event among many answers, and the rollback names the trigger and what it saw."""
    begin(world, ISOLATION)
    send(world, "isolation_violations", 50_000, 1)
    outcome = look(world.context, "demo", actor="guard")
    assert outcome.action == "roll_back"
    (entry,) = entries(world, "rolled_back")
    assert entry.payload["trigger"] == "red: isolation"
    assert "1 event, at most 0 events allowed" in entry.payload["reason"]
    assert world.case.state.split == 0


@pytest.mark.req("R3")
@pytest.mark.req("INV5")
@pytest.mark.parametrize("phase", ["held", "awaiting", "approved", "frozen", "complete"])
def test_red_rolls_back_from_every_phase(world: Any, phase: str) -> None:
    """Neither a hold, a pending approval, a stop nor the end stands in its way."""
    begin(world, ISOLATION)
    if phase == "held":
        hold(world.context, "demo", actor="ada", reason="lunch")
    elif phase == "frozen":
        freeze(world.context, "demo", actor="ada", reason="holidays")
    else:
        world.wait(1.1)
        world.traffic()
        assert world.step().action == "ask"
    if phase in ("approved", "complete"):
        approve(world)
    if phase == "complete":
        assert world.step().action == "enter"
        world.wait(1.1)
        world.traffic()
        assert world.step().action == "enter"
        assert world.case.state.phase == "complete"
    world.wait(0.01)
    send(world, "isolation_violations", 100, 1)
    assert look(world.context, "demo", actor="guard").action == "roll_back"
    assert world.case.state.phase == "rolled_back"


@pytest.mark.req("R3")
def test_most_requests_failing_roll_back_and_so_does_advance(world: Any) -> None:
    """The step that would go forward finds the same, and goes back."""
    begin(world, FAILING)
    world.wait(1.1)
    world.traffic(n=500, bad=300)
    outcome = world.step()
    assert outcome.action == "roll_back"
    assert entries(world, "rolled_back")[0].payload["trigger"] == "red: failing"


@pytest.mark.req("R3")
def test_past_the_point_of_no_return_red_strands_and_is_told(world: Any) -> None:
    """Nothing rolls back: an incident is opened once, and the alert is red."""
    stages = [{"kind": "checks"}, {"kind": "shadow", "bake": "1h"},
              {"kind": "canary", "percent": 10, "bake": "1h", "approval": True,
               "reversibility": "point_of_no_return"},
              {"kind": "canary", "percent": 100, "bake": "1h"}]  # fmt: skip
    world.start(notify=SLACK, gates=GATES, triggers={"red": [ISOLATION]}, stages=stages)
    world.work()
    world.step()
    world.wait(1.1)
    world.traffic()
    assert world.step().action == "ask"
    approve(world)
    assert world.step().action == "enter"
    send(world, "isolation_violations", 100, 1)
    assert look(world.context, "demo", actor="guard").action == "strand"
    for _ in range(3):
        look(world.context, "demo", actor="guard")
    assert (len(entries(world, "stranded")), world.case.state.split) == (1, 1000)
    assert entries(world, "stranded")[0].payload["trigger"] == "red: isolation"
    (alert,) = world.case.state.alerts
    assert alert.target == "red isolation"
    texts = [effect.payload["text"] for effect in world.ledger.claim_effects(
        now=world.clock.now(), lease=1.0) if effect.kind == "notice"]  # fmt: skip
    assert len([text for text in texts if "RED: isolation" in text]) == 1


@pytest.mark.req("R3")
def test_where_people_roll_back_red_advises(world: Any) -> None:
    """With automatic: false nothing moves; why says so, and people are told once."""
    begin(world, ISOLATION, rollback={"automatic": False})
    send(world, "isolation_violations", 100, 1)
    for _ in range(3):
        look(world.context, "demo", actor="guard")
    assert world.case.state.split == 1000
    assert why(world.context, "demo")["waiting_for"] == "rollback_advised"
    assert "leaves that to people: isolation" in why(world.context, "demo")["sentence"]
    assert len(entries(world, "alert_raised")) == 1


@pytest.mark.req("R3")
@pytest.mark.req("R10")
def test_amber_holds_and_is_told_once_until_it_is_well_for_long_enough(world: Any) -> None:
    """No step while events get lost; one alert, one end, and then it goes on. Traffic stays."""
    begin(world, amber=[DELIVERY])

    def minutes(count: int, bad: int) -> None:
        for _ in range(count):
            world.wait(1 / 60)
            send(world, "event_delivery_rate", 200, bad)
            world.traffic(n=200)
            look(world.context, "demo", actor="monitor")

    minutes(70, bad=30)
    assert why(world.context, "demo")["waiting_for"] == "amber"
    assert "AMBER: delivery: event_delivery_rate of candidate: 85 %" in world.step().sentence
    assert world.case.state.split == 1000
    assert len(entries(world, "alert_raised")) == 1
    (shown,) = status(world.context, "demo")["triggers"]
    assert (shown["trigger"], shown["color"], shown["level"]) == ("delivery", "amber", "fires")
    minutes(40, bad=0)
    assert len(entries(world, "alert_cleared")) == 1
    assert len(entries(world, "alert_raised")) == 1
    assert world.step().action == "ask"


@pytest.mark.req("R3")
def test_no_trigger_fires_in_a_stage_without_traffic(world: Any) -> None:
    """The candidate can hurt nobody there, and its probe is not asked."""
    world.start(gates=GATES, triggers={"red": [{**PATH, "no_data": "fire"}]})
    probes = ScriptedProbes({"p": False})
    context = probing(world, probes)
    for _ in range(30):
        world.wait(1 / 60)
        look(context, "demo", actor="guard")
    assert (probes.asked, world.case.state.phase) == ([], "running")
    assert status(context, "demo")["triggers"] == []


@pytest.mark.req("R3")
def test_a_golden_path_that_is_down_for_over_five_minutes_rolls_back(world: Any) -> None:
    """Four minutes do not; and each guard that takes over goes on with what was known."""
    begin(world, PATH)
    probes = ScriptedProbes({"p": False})
    actions = []
    for _ in range(7):
        world.wait(1 / 60)
        # Each look is another process: all it knows is what was written down.
        actions.append(look(probing(world, probes), "demo", actor="guard").action)
    assert actions == ["look"] * 5 + ["roll_back", "look"]
    (entry,) = entries(world, "rolled_back")
    assert entry.payload["trigger"] == "red: golden path"
    assert "golden path: down for 5 min: not as expected" in entry.payload["reason"]
    assert len(probes.asked) == 6


@pytest.mark.req("R3")
def test_one_good_answer_begins_anew(world: Any) -> None:
    """A path that comes back every few minutes is no golden path that is down."""
    begin(world, PATH)
    probes = ScriptedProbes({"p": [False, False, False, False, True] * 4})
    for _ in range(20):
        world.wait(1 / 60)
        assert look(probing(world, probes), "demo", actor="guard").action == "look"
    assert len(probes.asked) == 20


@pytest.mark.req("R3")
def test_guards_ask_no_more_often_than_the_plan_says(world: Any) -> None:
    """Three of them look ten times in half a minute, and the probe is asked once."""
    begin(world, PATH)
    probes = ScriptedProbes()
    guards = [probing(world, probes) for _ in range(3)]
    for _ in range(10):
        for guard in guards:
            look(guard, "demo", actor="guard")
        world.wait(2.9 / 3600)
    assert probes.asked == ["p"]
    world.wait(1.1 / 3600)
    for guard in guards:
        look(guard, "demo", actor="guard")
    assert probes.asked == ["p", "p"]


@pytest.mark.req("R3")
def test_a_probe_that_hangs_blocks_no_look_and_no_other_trigger(world: Any) -> None:
    """The look ends while it is still asked; the isolation violation rolls back meanwhile."""
    let_go, begun = threading.Event(), threading.Event()

    def hangs() -> bool:
        begun.set()
        assert let_go.wait(30)
        return True

    begin(world, PATH, ISOLATION)
    context = probing(world, ScriptedProbes({"p": hangs}), patience=0.0)
    assert look(context, "demo", actor="guard").action == "look"
    assert begun.wait(30)
    assert look(context, "demo", actor="guard").action == "look"
    send(world, "isolation_violations", 10, 1)
    try:
        assert look(context, "demo", actor="guard").action == "roll_back"
    finally:
        let_go.set()


@pytest.mark.req("R3")
@pytest.mark.req("INV6")
def test_a_probe_that_can_not_be_asked_is_told_once_and_rolls_nothing_back(world: Any) -> None:
    """A variable is missing where the guard runs: RED is blind, said with the reason."""
    begin(world, PATH)

    def refuses() -> bool:
        raise InputError("the variable PASS is not set")

    for _ in range(25):
        world.wait(1 / 60)
        world.traffic(n=200)
        look(probing(world, ScriptedProbes({"p": refuses})), "demo", actor="guard")
    assert world.case.state.phase == "running"
    (noted,) = [e for e in entries(world, "noted") if e.payload["topic"] == "red golden path"]
    assert "a RED trigger is blind: golden path" in noted.payload["text"]
    assert "the variable PASS is not set" in noted.payload["text"]
    (shown,) = status(world.context, "demo")["triggers"]
    assert shown["level"] == "no data"


@pytest.mark.req("R3")
@pytest.mark.req("INV6")
def test_missing_data_roll_back_where_the_plan_says_so(world: Any) -> None:
    """With no_data: fire, after the plan's time for silence and not before."""
    begin(world, {**FAILING, "no_data": "fire"})
    world.traffic()
    world.wait(0.15)
    assert look(world.context, "demo", actor="guard").action == "look"
    world.wait(0.03)
    assert look(world.context, "demo", actor="guard").action == "roll_back"


@pytest.mark.req("R3")
@pytest.mark.req("INV4")
def test_what_triggers_know_survives_a_restart(world: Any) -> None:
    """Windows, results and what was told are in the evidence, as plain JSON; a new attempt
    begins without them."""
    begin(world, {**FAILING, "over": "10m"}, PATH, amber=[DELIVERY])
    probes = ScriptedProbes({"p": False})
    for _ in range(3):
        world.wait(1 / 60)
        world.traffic(n=100, bad=10)
        look(probing(world, probes), "demo", actor="guard")
    stored = world.ledger.evidence("demo")
    assert json.loads(json.dumps(stored, allow_nan=False)) == stored
    assert stored["probes"]["golden path"]["ok"] is False
    began = stored["probes"]["golden path"]["began"]
    assert stored["probes"]["golden path"]["at"] - began == pytest.approx(120.0)
    assert sum(sums[0] for sums in stored["triggers"]["failing"]["candidate"].values()) == 2300
    look(probing(world, probes), "demo", actor="another")
    assert world.ledger.evidence("demo")["probes"]["golden path"]["began"] == began
    for _ in range(4):
        world.wait(1 / 60)
        look(probing(world, probes), "demo", actor="guard")
    assert world.case.state.phase == "rolled_back"
    world.wait(1)
    world.start(notify=SLACK, gates=GATES, triggers={"red": [FAILING, PATH]})
    world.work()
    world.step()
    look(probing(world, ScriptedProbes()), "demo", actor="guard")
    afresh = world.ledger.evidence("demo")
    assert (afresh["attempt"], afresh["probes"]["golden path"]["ok"]) == (2, True)
    assert not afresh.get("triggers", {}).get("failing")


@pytest.mark.req("R3")
def test_a_late_answer_of_an_older_guard_changes_nothing(world: Any) -> None:
    """What was asked earlier and answered later does not overwrite a newer result."""
    let_go, begun = threading.Event(), threading.Event()

    def slow() -> bool:
        begun.set()
        assert let_go.wait(30)
        return False

    begin(world, PATH)
    old = probing(world, ScriptedProbes({"p": slow}), patience=0.0)
    look(old, "demo", actor="old")
    assert begun.wait(30)
    world.wait(1 / 60)
    look(probing(world, ScriptedProbes()), "demo", actor="new")
    known = world.ledger.evidence("demo")["probes"]["golden path"]
    assert known["ok"] is True
    let_go.set()
    old.probing.patience = 10.0
    look(old, "demo", actor="old")
    assert world.ledger.evidence("demo")["probes"]["golden path"] == known
