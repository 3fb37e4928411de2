from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from switchover.engine.reconcile import reconcile
from switchover.engine.roll_back import roll_back
from switchover.errors import DependencyUnavailable, Refused
from switchover.testing.proxies import InMemoryTrafficSplit

pytestmark = pytest.mark.req("T11")

SECTION = [{"kind": "haproxy", "address": "/run/haproxy/admin.sock"}]


@pytest.fixture
def proxy(world: Any) -> InMemoryTrafficSplit:
    proxy = InMemoryTrafficSplit("demo", "HAProxy")
    world.context = replace(world.context, splits=lambda plan: proxy)
    world.start(proxies=SECTION)
    return proxy


def test_proxy_follows_every_stage(world: Any, proxy: InMemoryTrafficSplit) -> None:
    """It is on legacy from the start, and gets the share of the canary."""
    assert proxy.read() == 0
    world.to_canary()
    assert proxy.read() == 0.1


def test_reconcile_tells_a_proxy_that_forgot(world: Any, proxy: InMemoryTrafficSplit) -> None:
    """A restarted proxy is back in step with the next flow."""
    world.to_canary()
    proxy.held = None
    reconcile(world.context, "demo")
    assert proxy.read() == 0.1


@pytest.mark.req("R8")
@pytest.mark.parametrize("fault", [DependencyUnavailable("HAProxy", "gone"), Refused("no lines")])
def test_rollback_does_not_fail_with_its_proxy(
    world: Any, proxy: InMemoryTrafficSplit, fault: Exception
) -> None:
    """It is recorded, says what the proxy said, and the next reconcile tells it again."""
    world.to_canary()
    proxy.fault = fault
    outcome = roll_back(world.context, "demo", actor="ada", trigger="hand", reason="drift")
    assert outcome.recorded
    assert str(fault) in outcome.pending
    proxy.fault = None
    reconcile(world.context, "demo")
    assert proxy.read() == 0
