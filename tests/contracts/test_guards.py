"""One contract for guards' beats: in memory, and in a real Redis."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import redis

from switchover.clock import ManualClock
from switchover.ports.guards import GuardBeat, Guards
from switchover.routing.guard_beats import KEY, RedisGuards
from switchover.testing.guards import InMemoryGuards

#: The guards, and what lets so many seconds pass for them.
Post = tuple[Guards, Callable[[float], None]]


@pytest.fixture(params=["memory", "redis"])
def post(request: pytest.FixtureRequest) -> Post:
    """An empty one."""
    if request.param == "memory":
        clock = ManualClock()
        return InMemoryGuards(clock), lambda seconds: clock.advance(timedelta(seconds=seconds))
    url = request.getfixturevalue("fresh_redis_url")

    def age(seconds: float) -> None:
        # Redis's own clock can't be moved, so what was said is made older.
        with redis.Redis.from_url(url, decode_responses=True) as client:
            for name, value in client.hgetall(KEY).items():
                stamp, _, document = value.partition(" ")
                client.hset(KEY, name, f"{int(stamp) - round(seconds * 1000)} {document}")

    return RedisGuards(url), age


def beat(guard: str, every: float = 1.0, **more: object) -> GuardBeat:
    """What a guard says after a sweep of 20 ms over three migrations."""
    return GuardBeat(guard, every, 0.02, 3, **more)  # type: ignore[arg-type]


@pytest.mark.req("R8")
def test_the_latest_beat_of_each_guard_is_given(post: Post) -> None:
    """By name, with everything that it said."""
    guards, _ = post
    guards.say(beat("b:1"))
    guards.say(beat("a:1", names=("mood", "voxray")))
    guards.say(beat("b:1", trouble="the database is unavailable"))
    first, second = guards.alive()
    assert (first.guard, first.names, first.migrations) == ("a:1", ("mood", "voxray"), 3)
    assert (second.guard, second.trouble, second.took) == (
        "b:1", "the database is unavailable", 0.02,
    )  # fmt: skip


@pytest.mark.req("R8")
def test_a_guard_that_hangs_is_not_alive(post: Post) -> None:
    """It has missed ten seconds, or five sweeps where these are far apart."""
    guards, wait = post
    guards.say(beat("quick"))
    guards.say(beat("slow", every=10.0))
    wait(9.0)
    assert [each.guard for each in guards.alive()] == ["quick", "slow"]
    assert all(8.9 <= each.age <= 12.0 for each in guards.alive())
    wait(9.0)
    assert [each.guard for each in guards.alive()] == ["slow"]
    wait(40.0)
    assert not guards.alive()


@pytest.mark.req("R8")
def test_a_guard_that_ends_takes_its_beat_along(post: Post) -> None:
    """And nobody else's."""
    guards, _ = post
    guards.say(beat("a"))
    guards.say(beat("b"))
    guards.leave("a")
    guards.leave("never was")
    assert [each.guard for each in guards.alive()] == ["b"]


@pytest.mark.req("R8")
def test_redis_forgets_guards_that_were_killed(fresh_redis_url: str) -> None:
    """The hash doesn't grow with every restart, and has an end of its own; rubbish is no guard."""
    guards = RedisGuards(fresh_redis_url)
    with redis.Redis.from_url(fresh_redis_url, decode_responses=True) as client:
        client.hset(KEY, mapping={"killed": '1000 [1, 0.1, 3, [], ""]', "rubbish": "hello"})
        assert not guards.alive()
        guards.say(beat("new"))
        assert list(client.hgetall(KEY)) == ["new"]
        assert 0 < client.ttl(KEY) <= 60
