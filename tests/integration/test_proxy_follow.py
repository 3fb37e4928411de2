from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from switchover.machine.snapshot import Snapshot
from switchover.routing.bucket import bucket
from switchover.routing.proxies.bring import Told
from switchover.routing.proxies.fence import Standing
from switchover.routing.proxies.follow import Follower
from switchover.routing.store import RedisRoutingStore
from switchover.testing.embedded import Valkey
from switchover.testing.proxies import InMemoryTrafficSplit
from tests.eventually import eventually
from tests.integration.proxies.load import Change, Load, Step, drive
from tests.integration.proxies.running import (
    MIGRATION,
    SALT,
    Running,
    document,
    running_haproxy,
    running_nginx,
)

pytestmark = pytest.mark.req("T11")

KEYS = [f"patient-{number}" for number in range(500)]


class Acting:
    """What the load calls to change the split: one act after another."""

    name = "acts"

    def __init__(self, *acts: Callable[[], None]) -> None:
        self._acts = iter(acts)

    def apply(self, snapshot: Snapshot, *, lift: bool = False) -> None:
        next(self._acts)()

    def fall_back(self) -> None:
        raise AssertionError("the follower does that")

    def read(self) -> float | None:
        return None


def drive_rollback(proxy: Running, url: str) -> tuple[Load, list[Change], Follower]:
    """Half of the keys to the candidate, then a halt in Redis, all under load."""
    store = RedisRoutingStore(url)
    steps = [
        Step(document(1, 50), 1_000),
        Step(document(2, 0, mode="emergency_rollback"), 1_000),
    ]
    with Follower(proxy.split, MIGRATION, url) as follower:

        def split() -> None:
            store.write(steps[0].snapshot)
            assert eventually(lambda: store.wait_acknowledged(MIGRATION, 1, 0).routers == 1)

        def halt() -> None:
            store.halt(MIGRATION, halt_id="h", actor="ada", reason="drift", at=time.time())
            spread = store.wait_acknowledged(MIGRATION, 2, 20)
            assert (spread.routers, spread.complete) == (1, True)

        proxy.split = Acting(split, halt)
        load, changes = drive(proxy, KEYS, steps)
    return load, changes, follower


@pytest.mark.req("R1")
@pytest.mark.parametrize(
    ("name", "running"), [("haproxy", running_haproxy), ("nginx", running_nginx)]
)
def test_rollback_in_redis_turns_a_proxy_under_load_and_is_acknowledged(
    program: Callable[[str], Path],
    fresh_redis_url: str,
    record_property: Callable[[str, object], None],
    name: str,
    running: Callable[[Path], object],
) -> None:
    """With nothing but Redis, the follower and the proxy: no failed request, and none to the
    candidate that began after the acknowledgement."""
    with running(program(name)) as proxy:  # type: ignore[attr-defined]
        load, changes, follower = drive_rollback(proxy, fresh_redis_url)
    assert load.failures == []
    assert follower.fault == ""
    ordered, done = changes[-1].ordered, changes[-1].done
    candidate = [answer for answer in load.answers if answer.side == "candidate"]
    assert candidate
    assert not [answer for answer in candidate if answer.started > done]
    last = max(answer.ended for answer in candidate)
    record_property(
        "figures",
        f"{name}: halt to last candidate answer {(last - ordered) * 1e3:.1f} ms after the order, "
        f"acknowledged after {(done - ordered) * 1e3:.1f} ms",
    )


@pytest.mark.req("INV7")
def test_redis_killed_under_a_followed_haproxy_costs_no_request(
    program: Callable[[str], Path], tmp_path: Path
) -> None:
    """After ``max_staleness`` everything is on legacy, with no order from anybody; when Redis is
    back so is the split, and every key where it was."""
    said: list[Told] = []
    server = Valkey(tmp_path / "valkey").start()
    store = RedisRoutingStore(server.url)
    store.write(document(3, 50))
    try:
        with (
            running_haproxy(program("haproxy")) as proxy,
            Follower(
                proxy.split, MIGRATION, server.url, max_staleness=1.0, tell=said.append
            ) as follower,
        ):
            haproxy = proxy.split

            def follow() -> None:
                assert eventually(lambda: follower.epoch == 3)

            def kill() -> None:
                os.kill(server.process.pid, signal.SIGKILL)
                assert eventually(lambda: haproxy.read() == 0)

            def restart() -> None:
                server.process.stop()
                server.start()
                assert eventually(lambda: haproxy.read() == 0.5)

            proxy.split = Acting(follow, kill, restart)
            load, changes = drive(proxy, KEYS, [Step(document(3, 50), 1_000)] * 3)
    finally:
        server.stop()
    assert load.failures == []
    assert [told.what for told in said] == ["follows", "fell_back", "follows"]
    _, dark, light = changes
    for answer in load.answers:
        chosen = "candidate" if bucket(SALT, answer.key) < 5_000 else "legacy"
        if dark.done < answer.started and answer.ended < light.ordered:
            assert answer.side == "legacy"
        elif answer.epoch == 3 and (answer.ended < dark.ordered or light.done < answer.started):
            assert answer.side == chosen


class Slow(InMemoryTrafficSplit):
    """A proxy that takes a rollback only when a test lets it."""

    def __init__(self) -> None:
        super().__init__(MIGRATION, "slow")
        self.asked, self.released = threading.Event(), threading.Event()

    def apply(self, snapshot: Snapshot, *, lift: bool = False) -> None:
        if snapshot.served == 0:
            self.asked.set()
            assert self.released.wait(20)
        super().apply(snapshot, lift=lift)


@pytest.mark.req("R1")
def test_rollback_waits_for_the_last_proxy(fresh_redis_url: str) -> None:
    """A document that was read is not one that is followed: the halt is complete, and timed,
    when the proxy has turned."""
    store, proxy, fast = RedisRoutingStore(fresh_redis_url), Slow(), InMemoryTrafficSplit(MIGRATION)
    with (
        Follower(proxy, MIGRATION, fresh_redis_url) as follower,
        Follower(fast, MIGRATION, fresh_redis_url),
    ):
        store.write(document(1, 50))
        assert eventually(lambda: store.wait_acknowledged(MIGRATION, 1, 0).routers == 2)
        halt = store.halt(MIGRATION, halt_id="h", actor="ada", reason="drift", at=time.time())
        assert proxy.asked.wait(20)
        assert eventually(lambda: fast.held == Standing(halt.epoch, 0))
        spread = store.wait_acknowledged(MIGRATION, halt.epoch, 0.05)
        assert (spread.complete, spread.waiting) == (False, (follower.id,))
        assert follower.id.startswith("slow #")
        released = time.time()
        proxy.released.set()
        spread = store.wait_acknowledged(MIGRATION, halt.epoch, 20)
        assert (spread.routers, spread.complete) == (2, True)
        assert spread.last_at >= released
    assert store.acknowledgements(MIGRATION) == ()
    assert proxy.held == Standing(halt.epoch, 0), "it keeps what it has when the follower ends"


@pytest.mark.req("INV2")
def test_redis_that_lost_its_data_gets_the_split_back_with_the_document(
    fresh_redis_url: str,
) -> None:
    """The ledger's document is written again with the same epoch: the proxy follows it again,
    whether it waited on legacy meanwhile or not."""
    store, proxy = RedisRoutingStore(fresh_redis_url), InMemoryTrafficSplit(MIGRATION)
    store.write(document(7, 50))
    with (
        redis.Redis.from_url(fresh_redis_url) as client,
        Follower(proxy, MIGRATION, fresh_redis_url, max_staleness=0.5),
    ):
        assert eventually(lambda: proxy.read() == 0.5)
        client.flushall()
        assert eventually(lambda: proxy.read() == 0)
        store.write(document(7, 50))
        assert eventually(lambda: proxy.read() == 0.5)
