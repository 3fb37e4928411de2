"""The webhook router when a side, an owner or Redis fails."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from switchover.errors import DependencyUnavailable
from switchover.routing.breaker import Breaker
from switchover.routing.webhook import WebhookRouter
from tests.unit.routing.webhook_world import World, fail


@pytest.fixture(params=["sync", "async"])
def world(request: pytest.FixtureRequest) -> World:
    return World(request.param)


@pytest.mark.req("INV9")
def test_failing_shadow_is_felt_by_no_caller(world: World) -> None:
    """It is a failed pair, in the evidence and beside the served result."""
    world.routes.set("parallel", 2, shadow=10_000)
    world.answers["candidate"] = fail
    (outcome,) = world.deliver("a")
    assert (outcome.status, outcome.system) == ("served", "legacy")
    shadow = world.claims.state("a").shadow
    assert shadow is not None
    assert (shadow.system, shadow.failure) == ("candidate", "error")
    assert world.recorded.pairs == ["error"]
    assert world.failures == []


@pytest.mark.req("INV9")
def test_shadow_that_times_out_is_a_timeout(world: World) -> None:
    """An outcome of its own, in the evidence and beside the served result."""
    world.routes.set("parallel", 2, shadow=10_000)

    def late(event: Any) -> Any:
        raise TimeoutError

    world.answers["candidate"] = late
    world.deliver("a")
    shadow = world.claims.state("a").shadow
    assert shadow is not None
    assert (shadow.failure, world.recorded.pairs) == ("timeout", ["timeout"])


@pytest.mark.req("INV9")
def test_broken_candidate_is_no_longer_called_in_shadow_either(world: World) -> None:
    """Calls that the breaker holds back are shed: disagreements of their own kind."""
    world.routes.set("parallel", 2, shadow=10_000)
    world.answers["candidate"] = fail
    breaker = Breaker(consecutive=2, cool_down=1_000)
    for name in "abcd":  # one by one, as each shadow call has to end before the next event
        world.deliver(name, breaker=breaker)
    assert world.called.count("candidate") == 2
    assert world.recorded.pairs == ["error", "error", "shed", "shed"]


@pytest.mark.req("T4")
def test_failure_in_candidate_only_falls_back_and_starts_one_rollback(world: World) -> None:
    """The failing event is served by legacy, and so are those after it, without another try."""
    world.routes.set("candidate_only", 9)
    world.answers["candidate"] = fail
    first, second, third = world.deliver("a", "b", "c")
    assert [o.system for o in (first, second, third)] == ["legacy"] * 3
    assert (first.fallback, second.fallback) == (True, False)
    assert (first.reason, second.reason) == ("mode:candidate_only", "incident")
    assert world.called == ["candidate", "legacy", "legacy", "legacy"]
    assert [(f.incident, f.item) for f in world.failures] == [("agents-candidate-9", "a")]
    assert world.recorded.calls[:2] == [("candidate", False), ("legacy", True)]
    served = world.claims.state("a").served
    assert served is not None
    assert served.system == "legacy"


@pytest.mark.req("T4")
def test_fallback_happens_once_and_legacy_may_fail_too(world: World) -> None:
    """Then the error reaches the sender, nothing was served, and the next delivery may try."""
    world.routes.set("candidate_only", 9)
    world.answers["candidate"] = world.answers["legacy"] = fail
    with pytest.raises(RuntimeError, match="broken"):
        world.deliver("a")
    assert world.called == ["candidate", "legacy"]
    assert world.claims.state("a").status == "free"
    world.answers["legacy"] = lambda event: "better"
    world.routes.set("emergency_rollback", 10)
    (outcome,) = world.deliver("a")
    assert (outcome.status, outcome.result) == ("served", "better")


@pytest.mark.req("T4")
def test_failure_in_gradual_falls_back_without_a_rollback(world: World) -> None:
    """There the gates decide; this event is served all the same."""
    world.routes.set("gradual", 5, split=10_000, shadow=10_000)
    world.answers["candidate"] = fail
    (outcome,) = world.deliver("a")
    assert (outcome.system, outcome.fallback, world.failures) == ("legacy", True, [])
    assert world.recorded.pairs == ["error"]


@pytest.mark.req("T4")
def test_breaker_keeps_a_failing_candidate_from_being_called(world: World) -> None:
    """In gradual it opens after failures in a row; legacy serves, and says why."""
    world.routes.set("gradual", 5, split=10_000)
    world.answers["candidate"] = fail
    outcomes = world.deliver(*"abcde", breaker=Breaker(consecutive=2, cool_down=1_000))
    assert world.called.count("candidate") == 2
    assert [outcome.reason for outcome in outcomes[2:]] == ["breaker_open"] * 3
    assert all(outcome.status == "served" for outcome in outcomes)


@pytest.mark.req("T4")
def test_result_that_is_not_json_is_a_failure_of_its_system(world: World) -> None:
    """It could not be recorded, so it is not served."""
    world.routes.set("candidate_only", 9)
    world.answers["candidate"] = lambda event: {1, 2}
    (outcome,) = world.deliver("a")
    assert (outcome.system, outcome.fallback, len(world.failures)) == ("legacy", True, 1)


@pytest.mark.req("T4")
def test_failure_under_an_old_document_starts_nothing(world: World) -> None:
    """The routing moved on while the candidate worked; rolling back now would undo that."""
    world.routes.set("candidate_only", 9)

    def overtaken(event: Any) -> Any:
        world.routes.set("gradual", 10)
        raise RuntimeError

    world.answers["candidate"] = overtaken
    (outcome,) = world.deliver("a")
    assert (outcome.fallback, world.failures) == (True, [])


@pytest.mark.req("INV9")
def test_result_of_an_owner_that_was_too_slow_is_not_served(world: World) -> None:
    """Another owner took over and served; the sender gets that result."""

    def slow(event: Any) -> Any:
        world.claims.advance(world.claims.lease)
        claim = world.claims.claim(event["id"], "another", "candidate")
        assert claim is not None
        world.claims.complete(claim, "by another")
        return "too late"

    world.answers["legacy"] = slow
    (outcome,) = world.deliver("a")
    assert (outcome.status, outcome.system, outcome.result) == (
        "duplicate", "candidate", "by another",
    )  # fmt: skip


@pytest.mark.req("INV9")
def test_item_taken_over_and_not_done_yet_is_in_progress(world: World) -> None:
    """Neither result is served twice, nor one that may still fail."""

    def slow(event: Any) -> Any:
        world.claims.advance(world.claims.lease)
        assert world.claims.claim(event["id"], "another", "candidate")
        return "too late"

    world.answers["legacy"] = slow
    (outcome,) = world.deliver("a")
    assert (outcome.status, outcome.result) == ("in_progress", None)


@pytest.mark.req("INV9")
@pytest.mark.parametrize("step", ["claim", "complete"])
def test_without_redis_nothing_is_served(
    world: World, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Before or after the work: the sender is told to come again, and gets no result."""

    def gone(*_: Any, **__: Any) -> None:
        raise DependencyUnavailable("Redis", "gone")

    with monkeypatch.context() as patched:
        patched.setattr(world.claims, step, gone)
        with pytest.raises(DependencyUnavailable):
            world.deliver("a")
    assert world.claims.state("a").served is None
    (outcome,) = world.deliver("a")
    assert outcome.status == "served"


@pytest.mark.req("T4")
def test_candidate_that_hangs_is_given_up_after_its_deadline() -> None:
    """Under asyncio the call is cancelled, and legacy serves."""
    world = World("sync")
    world.routes.set("candidate_only", 9)
    handlers: dict[str, Any] = {"legacy": world.handler("legacy")}

    async def hang(event: Any) -> None:
        await asyncio.Event().wait()

    hooks = WebhookRouter(
        world.routes, world.claims, {**handlers, "candidate": hang}, {"opened"},
        lambda event: event["id"], candidate_deadline=0.01,
        on_candidate_failure=world.failures.append,
    )  # fmt: skip
    outcome = asyncio.run(hooks.handle_async({"action": "opened", "id": "a"}))
    hooks.close()
    assert (outcome.system, outcome.fallback) == ("legacy", True)
    assert [type(failure.error) for failure in world.failures] == [TimeoutError]


@pytest.mark.req("INV9")
def test_cancelled_delivery_gives_its_item_back() -> None:
    """The sender hung up: the next delivery need not wait for the lease."""
    world = World("sync")
    hooks = world.hooks()

    async def cancelled() -> None:
        begun = asyncio.Event()

        async def hang(event: Any) -> None:
            begun.set()
            await asyncio.Event().wait()

        hooks._sides.handlers["legacy"] = hang
        task = asyncio.create_task(hooks.handle_async({"action": "opened", "id": "a"}))
        await begun.wait()
        assert world.claims.state("a").status == "held"
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert world.claims.state("a").status == "free"
    assert world.recorded.calls == []
