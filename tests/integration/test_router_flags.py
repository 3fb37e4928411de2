"""Feature flags through a real Valkey: live, alike in every process, and over restarts."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from switchover import AsyncRouter, Router
from switchover.machine.snapshot import Snapshot
from switchover.routing.store import RedisRoutingStore
from tests.eventually import eventually

FLAGS: dict[str, Any] = {
    "panel": {"split": 2500},
    "layout": {"variants": {"a": 1000, "b": 4500, "c": 4500}},
    "mine": {"follows_split": True},
}
KEYS = [f"user-{n}" for n in range(400)]
ASK = """
import json, sys
from switchover import Router
with Router(sys.argv[1], sys.argv[2]) as router:
    assert router.wait_ready(20)
    keys = [f"user-{n}" for n in range(400)]
    names = ("panel", "layout", "mine")
    print(json.dumps([[router.flag(name, key).variant for key in keys] for name in names]))
"""


@pytest.fixture
def name() -> str:
    return f"mood-{uuid4().hex}"


def document(name: str, epoch: int, flags: dict[str, Any], split: int = 5000) -> Snapshot:
    return Snapshot(name, epoch, "gradual", split, salt="s", flags=flags, turned=1)


@pytest.mark.req("INV8", "T5", "T9")
def test_every_process_gives_the_same_answer(redis_url: str, name: str) -> None:
    """Another process, with another hash seed, evaluates every flag alike."""
    RedisRoutingStore(redis_url).write(document(name, 1, FLAGS))
    said = subprocess.run(
        [sys.executable, "-c", ASK, name, redis_url],
        check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    with Router(name, redis_url) as router:
        assert router.wait_ready(20)
        here = [[router.flag(flag, key).variant for key in KEYS] for flag in FLAGS]
    assert json.loads(said.stdout) == here


@pytest.mark.req("T5", "T9")
def test_a_flag_changes_while_the_split_stays(redis_url: str, name: str) -> None:
    """Live, without a restart; who is served by whom does not change."""
    store = RedisRoutingStore(redis_url)
    store.write(document(name, 1, FLAGS))
    with Router(name, redis_url) as router:
        assert router.wait_ready(20)
        before = [router.route(key).system for key in KEYS]
        store.write(document(name, 2, {**FLAGS, "panel": {"enabled": False}}))
        assert eventually(lambda: router.epoch == 2)
        assert not any(router.flag("panel", key) for key in KEYS)
        assert [router.route(key).system for key in KEYS] == before
        assert router.turned == 1


@pytest.mark.req("R1", "INV5")
def test_a_halt_switches_the_candidates_flags_off_and_leaves_the_others(
    redis_url: str, name: str
) -> None:
    """In the one write that turns the traffic."""
    store = RedisRoutingStore(redis_url)
    store.write(document(name, 1, FLAGS, 10_000))
    with Router(name, redis_url) as router:
        assert router.wait_ready(20)
        assert all(router.flag("mine", key) for key in KEYS)
        panel = [router.flag("panel", key).on for key in KEYS]
        halt = store.halt(name, halt_id="h", actor="t", reason="test", at=time.time())
        assert eventually(lambda: router.epoch == halt.epoch)
        assert not any(router.flag("mine", key) for key in KEYS)
        assert [router.flag("panel", key).on for key in KEYS] == panel
        assert router.turned == halt.epoch


@pytest.mark.req("INV8")
def test_a_document_with_a_flag_called_epoch_is_halted_like_any_other(
    redis_url: str, name: str
) -> None:
    """The script writes the new epoch where the document's own stands."""
    store = RedisRoutingStore(redis_url)
    flags = {"epoch": {"values": {"a": {"epoch": 0}}, "variants": {"a": 10_000}}}
    store.write(document(name, 7, flags))
    store.halt(name, halt_id="h", actor='"epoch":0', reason="test", at=time.time())
    stored = store.read(name)
    assert stored is not None
    assert (stored.epoch, stored.mode, stored.flags) == (8, "emergency_rollback", flags)


@pytest.mark.req("INV7")
def test_a_restart_without_redis_goes_on_with_the_kept_document(
    redis_url: str, name: str, tmp_path: Path
) -> None:
    """What Redis confirmed moments ago is served on; the file is the router's own doing."""
    file = tmp_path / "routing.json"
    RedisRoutingStore(redis_url).write(document(name, 1, FLAGS, 10_000))
    with Router(name, redis_url, disk=file) as router:
        assert router.wait_ready(20)
        assert eventually(file.exists)
    with Router(name, "redis://127.0.0.1:1/0", 600.0, disk=file) as router:
        assert eventually(lambda: router.route("u1").reason == "split:in")
        assert router.flag("mine", "u1").on
        assert not router.healthy


@pytest.mark.req("T2", "T5")
def test_the_async_router_decides_like_the_other_and_blocks_no_loop(
    redis_url: str, name: str
) -> None:
    """Start, readiness and end are awaited while the loop goes on turning."""
    RedisRoutingStore(redis_url).write(document(name, 1, FLAGS))

    async def main() -> int:
        turns = 0

        async def turn() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        ticking = asyncio.create_task(turn())
        async with AsyncRouter(name, redis_url) as router:
            assert await router.wait_ready(20)
            with Router(name, redis_url) as plain:
                assert await asyncio.to_thread(plain.wait_ready, 20)
                for key in KEYS:
                    assert router.route(key) == plain.route(key)
                    assert router.variant("layout", key) == plain.variant("layout", key)
            before = turns
        assert router.route("u1").reason == "stale"
        ticking.cancel()
        return turns - before

    assert asyncio.run(main()) > 0
