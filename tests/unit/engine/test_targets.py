"""Targets in the engine: told once per episode, holding where the plan says so."""

from __future__ import annotations

from typing import Any

import pytest

from switchover.engine.monitor import look
from switchover.engine.roll_back import roll_back
from switchover.engine.status import status, why

TARGET = {"metric": "success_rate", "target": "97%", "alert": "94%"}
SLACK = {"slack_channel": "#demo"}
#: Loose enough that no gate minds what the targets mind.
GATES = [{"metric": "success_rate", "at_least": "60%"},
         {"metric": "prediction_latency_p99", "at_most": "200ms"}]  # fmt: skip


def begin(world: Any, **target: Any) -> None:
    """To the first canary stage of a plan with one target."""
    world.start(notify=SLACK, gates=GATES, targets=[{**TARGET, **target}])
    world.to_canary()


def minutes(world: Any, count: int, bad: int, *, n: int = 200) -> None:
    """Traffic and looks of the monitor, minute by minute."""
    for _ in range(count):
        world.wait(1 / 60)
        world.traffic(n=n, bad=bad)
        look(world.context, "demo", actor="monitor")


def told(world: Any) -> list[tuple[str, str]]:
    """What the ledger says of alerts: kind and system."""
    return [
        (entry.kind, entry.payload["system"])
        for entry in world.ledger.entries("demo")
        if entry.kind.startswith("alert_")
    ]


def notices(world: Any) -> list[str]:
    """Keys of the notices that alerts made."""
    return [row["key"] for row in world.ledger.effects("demo") if "alert_" in row["key"]]


@pytest.mark.req("R10")
def test_an_alert_is_told_once_and_so_is_its_end(world: Any) -> None:
    """One entry and one notice when it comes, the same when it goes, none in between."""
    begin(world)
    minutes(world, 30, bad=40)
    assert told(world) == [("alert_raised", "candidate")]
    assert len(notices(world)) == 1
    (alert,) = world.case.state.alerts
    assert (alert.target, alert.system) == ("success_rate", "candidate")
    assert "in the last 15 min (" in alert.text
    assert "target at least 97 %, alert beyond 94 %" in alert.text
    minutes(world, 40, bad=0)
    assert told(world) == [("alert_raised", "candidate"), ("alert_cleared", "candidate")]
    assert len(notices(world)) == 2
    assert world.case.state.alerts == ()
    minutes(world, 30, bad=40)
    assert [kind for kind, _ in told(world)] == ["alert_raised", "alert_cleared", "alert_raised"]


@pytest.mark.req("R10")
def test_a_look_that_writes_an_alert_says_that_the_ledger_changed(world: Any) -> None:
    """Whoever shows the ledger refreshes at the alert's begin and end, and at no other look."""
    begin(world)
    changed = []
    for bad, count in ((40, 30), (0, 40)):
        for _ in range(count):
            world.wait(1 / 60)
            world.traffic(n=200, bad=bad)
            before = world.case.state.revision
            outcome = look(world.context, "demo", actor="monitor")
            assert outcome.did == (world.case.state.revision > before)
            changed.append(outcome.did)
    assert told(world) == [("alert_raised", "candidate"), ("alert_cleared", "candidate")]
    assert 2 <= sum(changed) <= 6


@pytest.mark.req("R10")
def test_an_alert_moves_no_traffic_and_holds_nothing_by_itself(world: Any) -> None:
    """AMBER tells people; the split stays, and the step that is due is taken."""
    begin(world)
    minutes(world, 70, bad=40)
    assert world.case.state.alerts
    assert world.case.state.split == 1000
    assert world.step().action == "ask"


@pytest.mark.req("R10")
@pytest.mark.req("R3")
def test_a_target_that_holds_lets_no_step_through_until_it_recovers(world: Any) -> None:
    """The same with hold: why says what stands in the way, and it goes on afterwards."""
    begin(world, hold=True)
    minutes(world, 70, bad=40)
    assert why(world.context, "demo")["waiting_for"] == "alert"
    assert "a target holds: success_rate of candidate: 80 %" in world.step().sentence
    assert world.case.state.phase == "running"
    minutes(world, 40, bad=0)
    assert world.step().action == "ask"


@pytest.mark.req("R10")
@pytest.mark.req("INV6")
def test_a_target_that_holds_needs_data(world: Any) -> None:
    """Gates may have heard enough; a window that tells nothing still lets nothing through."""
    begin(world, hold=True, over="3m", after="60s")
    minutes(world, 70, bad=0)
    world.wait(0.09)
    assert why(world.context, "demo")["waiting_for"] == "alert"
    assert "no data, 0 of 30 observations" in why(world.context, "demo")["sentence"]
    world.traffic()
    assert world.step().action == "ask"


@pytest.mark.req("R10")
@pytest.mark.req("INV6")
def test_silence_clears_no_alert(world: Any) -> None:
    """No data is not good data."""
    begin(world)
    minutes(world, 30, bad=40)
    for _ in range(60):
        world.wait(1 / 60)
        look(world.context, "demo", actor="monitor")
    assert told(world) == [("alert_raised", "candidate")]
    document = status(world.context, "demo")
    assert [alert["target"] for alert in document["alerts"]] == ["success_rate"]
    (candidate,) = [t for t in document["targets"] if t["system"] == "candidate"]
    assert (candidate["level"], candidate["n"]) == ("alert", 0)


@pytest.mark.req("R10")
def test_both_systems_are_watched_while_both_serve(world: Any) -> None:
    """A legacy system that fails is told of, under its own name."""
    begin(world)
    assert {t["system"] for t in status(world.context, "demo")["targets"]} == {
        "legacy", "candidate",
    }  # fmt: skip
    for _ in range(30):
        world.wait(1 / 60)
        world.stream.add(world.block("success_rate", "legacy", 200, 60))
        world.traffic(n=100)
        look(world.context, "demo", actor="monitor")
    assert told(world) == [("alert_raised", "legacy")]


@pytest.mark.req("R10")
def test_a_candidate_in_the_shadow_is_shown_and_not_alerted(world: Any) -> None:
    """Nobody gets its answers."""
    world.start(notify=SLACK, gates=GATES, targets=[TARGET])
    world.work()
    world.step()
    minutes(world, 30, bad=80)
    assert told(world) == []
    shown = {t["system"]: t for t in status(world.context, "demo")["targets"]}
    assert (shown["candidate"]["serves"], shown["candidate"]["level"]) == (False, "beyond")
    assert (shown["legacy"]["serves"], shown["legacy"]["level"]) == (True, "met")


@pytest.mark.req("R10")
@pytest.mark.req("INV5")
def test_a_rollback_ends_alerts_and_waits_for_none(world: Any) -> None:
    """What a target holds is a step forward; afterwards nothing is alerted any more."""
    begin(world, hold=True)
    minutes(world, 30, bad=40)
    assert world.case.state.alerts
    roll_back(world.context, "demo", actor="ada", trigger="by hand", reason="enough")
    assert world.case.state.phase == "rolled_back"
    assert world.case.state.alerts == ()
    assert status(world.context, "demo")["alerts"] == []


@pytest.mark.req("R10")
@pytest.mark.req("INV1")
def test_two_monitors_tell_of_an_alert_once(world: Any) -> None:
    """The second finds it open, whatever both saw before."""
    begin(world)
    minutes(world, 30, bad=40)
    for _ in range(3):
        look(world.context, "demo", actor="another")
    assert len(told(world)) == 1


@pytest.mark.req("R10")
def test_an_alert_on_who_serves_no_longer_is_over(world: Any) -> None:
    """At 100 % nobody gets legacy's answers, so its alert ends and says why."""
    stages = [{"kind": "checks"}, {"kind": "shadow", "bake": "1h"},
              {"kind": "canary", "percent": 10, "bake": "1h"},
              {"kind": "canary", "percent": 100, "bake": "1h"}]  # fmt: skip
    world.start(notify=SLACK, gates=GATES, targets=[TARGET], stages=stages)
    world.to_canary()
    for _ in range(70):
        world.wait(1 / 60)
        world.stream.add(world.block("success_rate", "legacy", 200, 60))
        world.traffic(n=100)
        look(world.context, "demo", actor="monitor")
    assert told(world) == [("alert_raised", "legacy")]
    assert world.step().action == "enter"
    look(world.context, "demo", actor="monitor")
    assert told(world)[-1] == ("alert_cleared", "legacy")
    assert "serves nobody any more" in world.ledger.entries("demo")[-1].payload["text"]
