from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from switchover.machine.snapshot import Snapshot
from switchover.routing.proxies.follow import Follower
from switchover.routing.store import RedisRoutingStore
from tests.integration.proxies.load import Step, drive
from tests.integration.proxies.running import MIGRATION, document, running_haproxy


class Halting:
    """What the load calls to change the split: it writes to Redis, as the engine does, and
    waits until the follower has brought it to the proxy."""

    name = "Redis"

    def __init__(self, store: RedisRoutingStore, follower: Follower) -> None:
        self._store, self._follower = store, follower

    def apply(self, snapshot: Snapshot) -> None:
        if snapshot.mode == "emergency_rollback":
            self._store.halt(MIGRATION, halt_id="h", actor="ada", reason="drift", at=time.time())
        else:
            self._store.write(snapshot)
        deadline = time.monotonic() + 10
        while self._follower.epoch < snapshot.epoch and time.monotonic() < deadline:
            time.sleep(0.001)

    def read(self) -> float | None:
        return None


@pytest.mark.req("T11")
@pytest.mark.req("R1")
def test_halt_in_redis_turns_haproxy_under_load(
    program: Callable[[str], Path],
    fresh_redis_url: str,
    record_property: Callable[[str, object], None],
) -> None:
    """With nothing but Redis, the follower and HAProxy: no failed request, and none to the
    candidate after the halt has arrived."""
    keys = [f"patient-{number}" for number in range(500)]
    steps = [
        Step(document(1, 50), 1_000),
        Step(document(2, 0, mode="emergency_rollback"), 1_000),
    ]
    stop = threading.Event()
    with running_haproxy(program("haproxy")) as proxy:
        store = RedisRoutingStore(fresh_redis_url)
        follower = Follower(store, proxy.split, MIGRATION)
        thread = threading.Thread(target=follower.run, args=(stop,))
        thread.start()
        try:
            proxy.split = Halting(store, follower)
            load, changes = drive(proxy, keys, steps)
        finally:
            stop.set()
            thread.join()
    assert load.failures == []
    assert follower.fault == ""
    ordered, done = changes[-1].ordered, changes[-1].done
    candidate = [answer for answer in load.answers if answer.side == "candidate"]
    assert candidate
    assert not [answer for answer in candidate if answer.started > done]
    last = max(answer.ended for answer in candidate)
    record_property(
        "figures", f"halt to last candidate answer {(last - ordered) * 1e3:.1f} ms after the order"
    )
