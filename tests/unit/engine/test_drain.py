"""Side effects: each on its own, later and later after failures, and none in another's way."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from switchover.engine.drain import LEASE, RETRY_FIRST, RETRY_MOST, drain, wait_after
from switchover.errors import DependencyUnavailable
from switchover.machine.event import Noted
from switchover.ports import Effect


def queue(world: Any, *keys: str, kind: str = "notice") -> None:
    """Put effects of one kind into the outbox."""
    world.case.append(Noted(1.0, "t", "x"), actor="t", effects=[Effect(k, kind, {}) for k in keys])


def handled(world: Any, **handlers: Any) -> Any:
    """The world's context with other handlers."""
    return replace(world.context, handlers={**world.context.handlers, **handlers})


@pytest.mark.req("P10", "R8")
@pytest.mark.parametrize("error", [DependencyUnavailable("Slack", "x"), KeyError("channel")])
def test_an_effect_that_always_fails_blocks_no_other(world: Any, error: Exception) -> None:
    """Even a fault of the handler itself is written down, and the page after it is sent."""
    world.start()

    def fail(effect: Effect) -> dict[str, Any]:
        raise error

    queue(world, "poison", kind="ask_people")
    queue(world, "page")
    drained = drain(handled(world, ask_people=fail))
    assert drained.done == ("page",)
    assert drained.failed[0].startswith("poison: ")
    row = next(row for row in world.ledger.effects("demo") if row["key"] == "poison")
    assert row["status"] == "failed"
    assert str(error) in row["error"]
    assert drain(handled(world, ask_people=fail)).failed == ()


@pytest.mark.req("P10")
def test_the_wait_after_a_failure_doubles_up_to_a_limit() -> None:
    """With jitter, so that many that failed together do not come back together."""
    waits = [wait_after(attempts) for attempts in range(1, 60)]
    for attempts, wait in enumerate(waits):
        middle = min(RETRY_MOST, RETRY_FIRST * 2**attempts)
        assert 0.8 * middle <= wait <= 1.2 * middle
    assert len({wait_after(3) for _ in range(20)}) > 1


@pytest.mark.req("P10")
def test_each_attempt_of_an_effect_comes_later_than_the_one_before(world: Any) -> None:
    """The ledger counts the attempts, so that a new process goes on where the last one was."""
    world.start()
    tries: list[int] = []

    def fail(effect: Effect) -> dict[str, Any]:
        tries.append(effect.attempts)
        raise DependencyUnavailable("Slack", "x")

    queue(world, "page")
    for seconds in (0, 3, 6, 6, 12):
        world.clock.advance(timedelta(seconds=seconds))
        drain(handled(world, notice=fail))
    assert tries == [1, 2, 3]


@pytest.mark.req("P10")
def test_a_dependency_that_asks_for_a_longer_wait_gets_it(world: Any) -> None:
    """Slack's Retry-After counts where it is longer than our own patience."""
    world.start()

    def busy(effect: Effect) -> dict[str, Any]:
        raise DependencyUnavailable("Slack", "ratelimited", retry_after=120.0)

    queue(world, "page")
    assert drain(handled(world, notice=busy)).failed
    world.clock.advance(timedelta(seconds=119))
    assert drain(world.context).done == ()
    world.clock.advance(timedelta(seconds=1))
    assert drain(world.context).done == ("page",)


@pytest.mark.req("INV4")
def test_an_effect_is_leased_only_while_it_is_performed(world: Any) -> None:
    """Handlers that take long together do not outlive the lease of the last one."""
    world.start()
    queue(world, *(f"e{n}" for n in range(5)))
    done: list[str] = []

    def slow(effect: Effect) -> dict[str, Any]:
        world.clock.advance(timedelta(seconds=LEASE - 1))
        # Another drain at this moment finds the rest free, and this one taken.
        done.append(effect.key)
        if len(done) == 1:
            others = drain(handled(world, notice=lambda e: done.append(e.key) or {}))
            assert others.done == ("e1", "e2", "e3", "e4")
        return {}

    drain(handled(world, notice=slow))
    assert sorted(done) == ["e0", "e1", "e2", "e3", "e4"]


@pytest.mark.req("P10", "R8")
def test_a_drain_does_not_sit_through_everything_that_hangs(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where failing takes long, the rest is left to the next one; none of it is lost."""
    world.start()
    queue(world, *(f"e{n}" for n in range(9)))
    monkeypatch.setattr("switchover.engine.drain.LOST", 0.02)

    def hang(effect: Effect) -> dict[str, Any]:
        time.sleep(0.015)
        raise DependencyUnavailable("Slack", "no answer")

    stuck = handled(world, notice=hang)
    assert len(drain(stuck).failed) == 2
    while drain(stuck).failed:
        pass
    rows = [row for row in world.ledger.effects("demo") if row["kind"] == "notice"]
    assert {row["attempts"] for row in rows} == {1}


@pytest.mark.req("P10")
def test_one_drain_performs_no_more_than_it_was_asked_for(world: Any) -> None:
    """The rest waits for the next one."""
    world.start()
    queue(world, *(f"e{n}" for n in range(5)))
    assert len(drain(world.context, limit=3).done) == 3
    assert len(drain(world.context).done) == 2
