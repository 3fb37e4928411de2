"""The usual triggers in the engine: each of the requirement's figures does what it promises."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from switchover.engine.monitor import look
from switchover.engine.probing import Probing
from switchover.engine.status import why
from switchover.testing.probes import ScriptedProbes

pytestmark = pytest.mark.req("R3")

#: Loose enough that no gate minds what the triggers mind.
GATES = [{"metric": "success_rate", "at_least": "5%"},
         {"metric": "prediction_latency_p99", "at_most": "2s"}]  # fmt: skip
DATA = [{"name": "rows", "database": "env:STORE", "table": "t",
         "expectations": [{"expect": "expect_table_row_count_to_be_between"}]}]  # fmt: skip
#: What both systems do besides: well.
WELL = [("success_rate", "legacy", 600, 0, 0.0), ("success_rate", "candidate", 600, 0, 0.0),
        ("prediction_latency_p99", "legacy", 600, 0, 0.05),
        ("prediction_latency_p99", "candidate", 600, 0, 0.05)]  # fmt: skip


def memory(candidates: float) -> list[tuple[str, str, int, int, float]]:
    """Bytes of both systems, read four times."""
    name = "memory_usage_delta"
    return [(name, "legacy", 4, 0, 1e8), (name, "candidate", 4, 0, candidates)]


def minutes(world: Any, count: int, *seen: tuple[str, str, int, int, float],
            probes: ScriptedProbes | None = None) -> list[str]:  # fmt: skip
    """So many minutes in which this is seen besides; gives what each look did."""
    world.start(gates=GATES, triggers={"defaults": True}, data_checks=DATA,
                notify={"slack_channel": "#demo"})  # fmt: skip
    world.work()
    world.step()
    world.wait(1.1)
    world.traffic()
    world.data()
    assert world.step().action == "enter"
    asked = probes or ScriptedProbes()
    own = {(metric, system) for metric, system, *_ in seen}
    actions = []
    for _ in range(count):
        world.wait(1 / 60)
        for metric, system, n, bad, value in (*seen, *WELL):
            if (metric, system, n, bad, value) in seen or (metric, system) not in own:
                world.stream.add(world.block(metric, system, n, bad, value))
        context = replace(world.context, probes=asked, probing=Probing(10.0))
        actions.append(look(context, "demo", actor="guard").action)
        if actions[-1] == "roll_back":
            break
    return actions


def triggers(world: Any) -> list[str]:
    """What rolled back, and what was alerted."""
    names = {"rolled_back": "trigger", "alert_raised": "target"}
    return [entry.payload[names[entry.kind]] for entry in world.ledger.entries("demo")
            if entry.kind in names]  # fmt: skip


@pytest.mark.parametrize(
    ("seen", "wanted"),
    [
        ([("isolation_violations", "candidate", 50_000, 0, 0.0)], []),
        ([("isolation_violations", "candidate", 50_000, 1, 0.0)], ["red: isolation"]),
        ([("success_rate", "candidate", 600, 144, 0.0)], []),
        ([("success_rate", "candidate", 600, 270, 0.0)], ["red: failing requests"]),
        ([("prediction_latency_p99", "candidate", 600, 0, 0.07)], []),
        ([("prediction_latency_p99", "candidate", 600, 0, 0.08)], ["red: slower than legacy"]),
    ],
    ids=[
        "no violation",
        "a violation",
        "24 % failing",
        "45 % failing",
        "40 % slower",
        "60 % slower",
    ],
)
def test_red_rolls_back_beyond_its_figure_and_not_below(
    world: Any, seen: list[Any], wanted: list[str]
) -> None:
    """Within two minutes of its beginning; what keeps the limit may last (AMBER has its own)."""
    actions = minutes(world, 2 if wanted else 5, *seen)
    assert triggers(world) == wanted
    assert ("roll_back" in actions) == bool(wanted)
    assert world.case.state.split == (0 if wanted else 1000)


@pytest.mark.parametrize(
    ("probe", "after", "wanted"),
    [("golden path", 5, "red: golden path"), ("data stores: STORE", 1, "red: data stores: STORE")],
)
def test_red_probes_may_fail_for_their_time(
    world: Any, probe: str, after: int, wanted: str
) -> None:
    """Five minutes of the golden path, one of a database; the look before does nothing."""
    actions = minutes(world, 9, probes=ScriptedProbes({probe: False}))
    assert actions == ["look"] * after + ["roll_back"]
    assert triggers(world) == [wanted]


@pytest.mark.parametrize(
    ("seen", "wanted"),
    [
        ([("event_delivery_rate", "candidate", 600, 18, 0.0)], ""),
        ([("event_delivery_rate", "candidate", 600, 54, 0.0)], "amber event delivery"),
        ([("success_rate", "candidate", 600, 48, 0.0)], ""),
        ([("success_rate", "candidate", 600, 90, 0.0)], "amber failing executions"),
        ([("integration_test_rate", "candidate", 60, 9, 0.0)], ""),
        ([("integration_test_rate", "candidate", 60, 24, 0.0)], "amber integration tests"),
        (memory(1.1e8), ""),
        (memory(1.4e8), "amber memory growth"),
        ([("authentication_rate", "candidate", 600, 18, 0.0)], ""),
        ([("authentication_rate", "candidate", 600, 54, 0.0)], "amber authentication"),
    ],
)  # fmt: skip
def test_amber_alerts_once_and_holds_beyond_its_figure_and_not_below(
    world: Any, seen: list[Any], wanted: str
) -> None:
    """Traffic stays where it is, the alert is an entry and one notice, and no step is taken."""
    assert set(minutes(world, 75, *seen)) == {"look"}
    assert triggers(world) == [wanted] * bool(wanted)
    assert world.case.state.split == 1000
    notices = [effect.payload["text"] for effect in world.ledger.claim_effects(
        now=world.clock.now(), lease=1.0) if effect.kind == "notice"]  # fmt: skip
    told = [text for text in notices if "AMBER" in text]
    assert len(told) == bool(wanted)
    world.data()
    assert (why(world.context, "demo")["waiting_for"] == "amber") == bool(wanted)
