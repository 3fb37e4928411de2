from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from switchover.engine.monitor import look
from switchover.engine.roll_back import roll_back
from switchover.engine.status import status, why
from switchover.errors import DependencyUnavailable, Refused
from switchover.machine.propagation import follower_id
from switchover.routing.proxies.fence import Standing
from switchover.testing.proxies import InMemoryTrafficSplit

pytestmark = pytest.mark.req("T11")

GONE = DependencyUnavailable("HAProxy", "no socket")


@pytest.fixture
def baking(world: Any) -> InMemoryTrafficSplit:
    """A proxy that follows a canary of 10 %, which has just begun."""
    proxy = InMemoryTrafficSplit("demo", "HAProxy")
    world.context = replace(world.context, splits=lambda plan: proxy)
    world.start(proxies=[{"kind": "haproxy", "address": "/run/haproxy/admin.sock"}])
    world.to_canary()
    return proxy


@pytest.fixture
def proxy(world: Any, baking: InMemoryTrafficSplit) -> InMemoryTrafficSplit:
    """The same when the canary has earned the next step."""
    world.wait(1.1)
    world.traffic()
    return baking


def test_step_waits_for_a_proxy_with_another_share(world: Any, proxy: InMemoryTrafficSplit) -> None:
    """Proxy and both figures are named, by advance, why and status; then the step is taken."""
    proxy.held = Standing(world.case.state.epoch, 250)
    outcome = world.step()
    assert (outcome.action, outcome.did) == ("wait", False)
    said = "HAProxy sends 2.50% to the candidate, and the routing document says 10.00%"
    assert outcome.sentence == said
    found = why(world.context, "demo")
    assert (found["waiting_for"], found["until"]) == ("proxies", None)
    assert found["sentence"].startswith(f"{said}; it goes on when they follow")
    document = status(world.context, "demo")
    assert document["proxies"] == [{"proxy": "HAProxy", "split": 2.5, "fault": None}]
    assert document["why"] == found["sentence"]
    proxy.held = Standing(world.case.state.epoch, 1_000)
    assert world.step().action == "ask"


def test_what_else_is_missing_is_told_with_it(world: Any, baking: InMemoryTrafficSplit) -> None:
    """While the stage bakes, people see both."""
    baking.held = Standing(world.case.state.epoch, 0)
    found = why(world.context, "demo")
    assert found["waiting_for"] == "dwell"
    assert (
        "; HAProxy sends 0.00% to the candidate, and the routing document says 10.00%"
        in found["sentence"]
    )


@pytest.mark.parametrize("fault", [GONE, Refused("no lines")])
def test_proxy_that_can_not_be_asked_holds_the_step(
    world: Any, proxy: InMemoryTrafficSplit, fault: Exception
) -> None:
    """Nothing is promoted on hope, by monitor neither."""
    proxy.fault = fault
    said = f"HAProxy can't be asked for its share: {fault}"
    assert world.step().sentence == said
    assert look(world.context, "demo", actor="test").sentence == said
    assert status(world.context, "demo")["proxies"][0]["fault"] == str(fault)


def test_proxy_that_can_not_tell_is_reported_and_holds_nothing(
    world: Any, proxy: InMemoryTrafficSplit
) -> None:
    """Unknown is not wrong."""
    proxy.blind = True
    assert status(world.context, "demo")["proxies"] == [
        {"proxy": "HAProxy", "split": None, "fault": None}
    ]
    assert world.step().action == "ask"


def test_followers_word_is_taken_for_a_proxy_out_of_reach(
    world: Any, proxy: InMemoryTrafficSplit
) -> None:
    """A worker elsewhere can't ask the proxy; every live follower of it has to be there."""
    proxy.fault = GONE
    epoch, one, two = world.case.state.epoch, follower_id("HAProxy"), follower_id("HAProxy")
    world.routing.acknowledge("demo", follower_id("nginx"), epoch, 1.0)
    world.routing.acknowledge("demo", one, epoch, 1.0)
    world.routing.acknowledge("demo", two, epoch - 1, 1.0)
    assert world.step().action == "wait"
    world.routing.acknowledge("demo", two, epoch, 1.0)
    assert status(world.context, "demo")["proxies"][0]["split"] == 10
    assert world.step().action == "ask"


@pytest.mark.req("INV5")
def test_proxy_out_of_reach_never_blocks_a_rollback(
    world: Any, proxy: InMemoryTrafficSplit
) -> None:
    """By the evidence or by hand, traffic goes back."""
    proxy.fault = GONE
    world.traffic(bad=1900)
    assert look(world.context, "demo", actor="test").action == "roll_back"
    assert roll_back(world.context, "demo", actor="ada", trigger="hand", reason="x").recorded
