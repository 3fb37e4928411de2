from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from switchover.engine.reconcile import reconcile
from switchover.engine.roll_back import roll_back
from switchover.plan.proxies import HaproxyProxy
from switchover.routing.proxies import TrafficSplits
from switchover.routing.proxies.follow import Follower
from switchover.routing.store import RedisRoutingStore
from switchover.testing.embedded.ports import answers
from tests.eventually import eventually
from tests.integration.proxies.running import Running, running_haproxy
from tests.unit.engine.conftest import World

pytestmark = pytest.mark.req("T11")


def ramped(proxy: Running, url: str, directory: Path) -> Any:
    """A migration at 10 % that has earned its next step, with Redis and HAProxy real."""
    world = World(directory)
    world.routing = RedisRoutingStore(url)  # type: ignore[assignment]
    world.context = replace(
        world.context, routing=world.routing, splits=lambda plan: TrafficSplits([proxy.split])
    )
    section = HaproxyProxy(kind="haproxy", address=proxy.address)
    world.start(proxies=[section.model_dump(mode="json")])
    world.to_canary()
    world.wait(1.1)
    world.traffic()
    return world


def test_step_waits_until_haproxy_does_what_the_document_says(
    program: Callable[[str], Path], fresh_redis_url: str, tmp_path: Path
) -> None:
    """HAProxy away, then back without its variables: no step; told again: the step is taken."""
    with running_haproxy(program("haproxy")) as proxy:
        world = ramped(proxy, fresh_redis_url, tmp_path)
        proxy.process.stop()
        outcome = world.step()
        assert (outcome.action, "check that it runs" in outcome.sentence) == ("wait", True)
        proxy.process.start()
        proxy.process.wait_until(lambda: answers(proxy.port), timeout=10)
        assert world.step().sentence == (
            f"{proxy.split.name} sends 0.00% to the candidate, and the routing document says 10.00%"
        )
        reconcile(world.context, "demo")
        assert world.step().action == "ask"


@pytest.mark.req("R1", "INV5")
def test_rollback_is_measured_to_the_moment_at_which_haproxy_turned(
    program: Callable[[str], Path], fresh_redis_url: str, tmp_path: Path
) -> None:
    """The follower is among the routers that a rollback waits for."""
    with running_haproxy(program("haproxy")) as proxy:
        world = ramped(proxy, fresh_redis_url, tmp_path)
        epoch = world.case.state.epoch
        with Follower(proxy.split, "demo", fresh_redis_url):
            assert eventually(
                lambda: world.routing.wait_acknowledged("demo", epoch, 0).routers == 1
            )
            outcome = roll_back(world.context, "demo", actor="ada", trigger="hand", reason="drift")
        assert (outcome.routers, outcome.complete, outcome.pending) == (1, True, ())
        assert proxy.split.read() == 0
