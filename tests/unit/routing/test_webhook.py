"""The webhook router: one served result per event, by the side that was decided on."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from typing import Any

import pytest

from switchover.errors import InputError
from switchover.routing.webhook import WebhookRouter
from switchover.routing.webhook_outcome import Outcome
from tests.unit.routing.webhook_world import World, fail


@pytest.fixture(params=["sync", "async"])
def world(request: pytest.FixtureRequest) -> World:
    return World(request.param)


@pytest.mark.req("T4")
@pytest.mark.parametrize(
    ("mode", "system"),
    [
        ("legacy_only", "legacy"),
        ("candidate_only", "candidate"),
        ("emergency_rollback", "legacy"),
    ],
)
def test_event_is_served_by_the_side_that_the_document_names(
    world: World, mode: str, system: str
) -> None:
    """One call, one served result, recorded under the system that gave it."""
    world.routes.set(mode, 4)
    (outcome,) = world.deliver("a")
    assert (outcome.status, outcome.system, outcome.epoch) == ("served", system, 4)
    assert outcome.result == {"by": system, "n": "a"}
    assert (world.called, world.recorded.calls) == ([system], [(system, True)])
    served = world.claims.state("a").served
    assert served is not None
    assert (served.system, served.value) == (system, outcome.result)


@pytest.mark.req("T4")
@pytest.mark.parametrize("kind", ["closed", "", 3, None, ["opened"]])
def test_kinds_not_accepted_are_ignored_with_a_reason(world: World, kind: Any) -> None:
    """Nothing is claimed, nothing is called."""
    (outcome,) = world.deliver("a", kind=kind)
    assert (outcome.status, outcome.http_status) == ("ignored", 202)
    assert f"{kind!r} is not accepted" in outcome.reason
    assert (world.called, world.claims.state("a").status) == ([], "free")


@pytest.mark.req("INV9")
def test_second_delivery_gets_the_result_of_the_first(world: World) -> None:
    """Also when the document names the other side by then."""
    (first,) = world.deliver("a")
    world.routes.set("candidate_only", 2)
    again, other = world.deliver("a", "b")
    assert (again.status, again.system, again.result) == ("duplicate", "legacy", first.result)
    assert (other.status, other.system) == ("served", "candidate")
    assert world.called == ["legacy", "candidate"]


@pytest.mark.req("INV9")
def test_delivery_during_the_first_is_told_to_come_again(world: World) -> None:
    """Another owner is at it: no call, and an answer that makes the sender repeat."""
    assert world.claims.claim("a", "another", "legacy")
    (outcome,) = world.deliver("a")
    assert (outcome.status, outcome.http_status) == ("in_progress", 503)
    assert 0 < outcome.retry_after <= world.claims.lease
    assert world.called == []


@pytest.mark.req("INV9")
def test_in_parallel_both_are_called_and_one_is_served(world: World) -> None:
    """Legacy answers; the candidate runs after that, and both are recorded as a pair."""
    world.routes.set("parallel", 2, shadow=10_000)
    (outcome,) = world.deliver("a")
    assert (outcome.system, world.called) == ("legacy", ["legacy", "candidate"])
    pair = world.claims.state("a").pair
    assert pair is not None
    assert [result.value["by"] for result in pair] == ["legacy", "candidate"]
    assert world.claims.state("a").served == pair[0]
    assert world.recorded.pairs == [(pair[0].value, pair[1].value)]


@pytest.mark.req("INV9")
def test_duplicate_in_parallel_calls_neither_side_again(world: World) -> None:
    """One served result and one pair, however often the event comes."""
    world.routes.set("parallel", 2, shadow=10_000)
    outcomes = world.deliver("a", "a", "a")
    assert [outcome.status for outcome in outcomes] == ["served", "duplicate", "duplicate"]
    assert (sorted(world.called), len(world.recorded.pairs)) == (["candidate", "legacy"], 1)


@pytest.mark.req("T2")
def test_split_is_sticky_by_the_key_given(world: World) -> None:
    """All events of one issue go to the same side, though each is an item of its own."""
    world.routes.set("gradual", 2, split=5_000)
    outcomes = world.deliver(*(f"{n}" for n in range(40)), key=lambda event: "issue-1")
    assert len({outcome.system for outcome in outcomes}) == 1


@pytest.mark.req("T4")
def test_mistakes_in_the_setup_are_refused(world: World) -> None:
    """A missing handler, one kind instead of a set, no time to shadow."""
    with pytest.raises(InputError, match="give a set"):
        WebhookRouter(world.routes, world.claims, {}, "opened", str)
    with pytest.raises(InputError, match="handlers for legacy, candidate"):
        WebhookRouter(world.routes, world.claims, {"legacy": fail}, {"opened"}, str)
    with pytest.raises(InputError, match="more than 0"):
        world.hooks(shadow_deadline=0)


@pytest.mark.req("T4")
def test_coroutine_handlers_need_the_async_way() -> None:
    """Said before anything is claimed."""
    world = World("async")
    with pytest.raises(InputError, match="use handle_async"):
        world.hooks().handle({"action": "opened", "id": "a"})
    assert world.claims.state("a").status == "free"


@pytest.mark.req("T4")
def test_plain_handlers_do_not_block_the_event_loop() -> None:
    """Under asyncio they run in a thread: two that wait for each other both end."""
    world = World("sync")
    together = threading.Barrier(2, timeout=10)
    world.answers["legacy"] = lambda event: together.wait() >= 0
    hooks = world.hooks()

    async def both() -> list[Outcome]:
        events = ({"action": "opened", "id": name} for name in "ab")
        return await asyncio.gather(*(hooks.handle_async(event) for event in events))

    assert [outcome.result for outcome in asyncio.run(both())] == [True, True]


@pytest.mark.req("T4")
def test_importing_it_loads_nothing_heavy() -> None:
    """An application that routes webhooks needs the light SDK only, and redis when it connects."""
    program = (
        "import sys; from switchover.routing.webhook import WebhookRouter\n"
        "from switchover.routing.claims import Claims; Claims('m', 'redis://127.0.0.1:1/0')\n"
        "print(*{name.split('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
        capture_output=True,
        text=True,
    )
    assert {"redis", "pydantic", "numpy", "httpx", "sqlalchemy"}.isdisjoint(done.stdout.split())
