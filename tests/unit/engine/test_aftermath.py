"""What Switchover asks itself after a rollback."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from switchover.engine.aftermath import ROUTERS, SERVED, own_questions
from switchover.engine.roll_back import roll_back
from switchover.errors import DependencyUnavailable
from switchover.judge.block import Block
from switchover.machine.propagation import Propagation
from switchover.ports import CheckResult, MeasuredShare

pytestmark = pytest.mark.req("R4")


@pytest.fixture
def back(world: Any) -> Any:
    """A migration that was rolled back a minute ago."""
    world.start(proxies=[])
    world.to_canary()
    roll_back(world.context, "demo", actor="bo", trigger="person", reason="smoke")
    world.clock.advance(timedelta(seconds=60))
    return world


def answers(world: Any, case: Any = None) -> dict[str, CheckResult]:
    return {each.name: each for each in own_questions(case or world.case)}


def spread(world: Any, monkeypatch: pytest.MonkeyPatch, found: Propagation) -> CheckResult:
    """The answer about routers that spread so far."""
    monkeypatch.setattr(world.routing, "wait_acknowledged", lambda *given: found)
    return answers(world)[ROUTERS]


def test_all_routers_on_legacy_are_counted(back: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """None at all is told, and harms nobody."""
    some = spread(back, monkeypatch, Propagation(4, True, 1.0))
    assert (some.ok, some.detail["routers"]) == (True, 4)
    none = spread(back, monkeypatch, Propagation(0, True, 0.0))
    assert none.ok
    assert "no router is live" in none.summary


def test_a_router_that_is_behind_or_silent_is_named(
    back: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A silent one may still serve what it last heard."""
    behind = spread(back, monkeypatch, Propagation(3, False, 1.0, waiting=("web-1",)))
    assert not behind.ok
    assert "web-1" in behind.summary
    silent = spread(back, monkeypatch, Propagation(3, True, 1.0, lost=("web-2",)))
    assert not silent.ok
    assert "web-2" in silent.summary
    assert "silent" in silent.summary


@pytest.mark.req("T11")
def test_a_proxy_that_still_sends_requests_to_the_candidate_is_told(world: Any) -> None:
    """Routers are not the only ones that split."""

    class Splits:
        def apply(self, snapshot: Any) -> None:
            """Ignored, as a proxy does that lost its way."""

        def measure(self) -> tuple[MeasuredShare, ...]:
            return (MeasuredShare("HAProxy a", 0.1),)

    world.context = replace(world.context, splits=lambda plan: Splits())
    world.start(proxies=[{"kind": "haproxy", "address": "/run/haproxy/admin.sock"}])
    roll_back(world.context, "demo", actor="bo", trigger="person", reason="smoke")
    found = answers(world)[ROUTERS]
    assert not found.ok
    assert "HAProxy a sends 10.00% to the candidate" in found.summary


def test_the_time_of_the_turn_is_that_of_the_last_router(
    back: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A candidate that served while a slow router turned is no surprise."""
    entries = back.ledger.entries("demo")
    (measured,) = [entry for entry in entries if entry.kind == "rollback_measured"]
    began = next(entry for entry in entries if entry.kind == "rolled_back").payload["at"]
    slow = replace(measured, payload={**measured.payload, "seconds": 30.0})
    changed = [slow if entry is measured else entry for entry in entries]
    monkeypatch.setattr(back.ledger, "entries", lambda name, after=0, limit=None: changed[after:])
    served = answers(back)[SERVED]
    assert served.detail["since"] == began + 40.0
    assert served.ok


def test_a_database_that_is_down_leaves_it_unknown(
    back: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody may say then that the candidate serves nobody."""
    case = back.case

    def down(*given: Any, **more: Any) -> Any:
        raise DependencyUnavailable("the database", "connection refused")

    monkeypatch.setattr(back.ledger, "blocks", down)
    found = answers(back, case)
    assert found[ROUTERS].ok
    assert not found[SERVED].ok
    assert "the database is unavailable" in found[SERVED].summary


def test_blocks_of_other_sources_show_nothing(back: Any) -> None:
    """Counters of a vendor count health checks, too; a recorder counts what an application did."""
    at = back.context.timestamp - 30
    vendor = Block("v", "demo", "success_rate", "candidate", at, 5, 9)
    back.ledger.ingest("demo", [vendor], "1", lambda stored, new: stored or {}, always=True)
    assert answers(back)[SERVED].ok
    own = replace(vendor, id="r", recorder="web-1", upto=9)
    back.ledger.ingest("demo", [own], "2", lambda stored, new: stored or {}, always=True)
    assert not answers(back)[SERVED].ok
