"""Routers and followers that missed changes, while a real Redis trims, restarts and forgets."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest
import redis

import switchover
from switchover.engine.reconcile import reconcile
from switchover.ledger import upgrade
from switchover.machine.snapshot import Snapshot
from switchover.routing.changes import BEGINNING, Changes, Resync
from switchover.routing.scripts import CHANGES_KEPT
from switchover.routing.store import RedisRoutingStore
from switchover.testing.embedded import Valkey
from tests.eventually import eventually
from tests.faults.journey import Site, walk

SLEEPER = """
import sys
from switchover import Router
with Router(sys.argv[1], sys.argv[2]) as router:
    router.wait_ready(20)
    for _ in sys.stdin:
        print(router.epoch, router.route("a").system, flush=True)
"""

_STAGES = [{"kind": "checks"}, {"kind": "canary", "percent": 10, "bake": "1h"},
           {"kind": "canary", "percent": 50, "bake": "1h"}]  # fmt: skip


def wide(name: str, epoch: int) -> Snapshot:
    """Everybody on the candidate."""
    return Snapshot(name, epoch, "gradual", 10_000)


@pytest.fixture
def name() -> str:
    return f"mood-{uuid4().hex}"


@pytest.fixture
def sleeper(redis_url: str, name: str) -> Iterator[subprocess.Popen[str]]:
    """A router process of its own, which answers each line with what it serves."""
    process = subprocess.Popen(
        [sys.executable, "-c", SLEEPER, name, redis_url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    yield process
    process.send_signal(signal.SIGCONT)
    process.communicate()


def asked(process: subprocess.Popen[str]) -> str:
    """What it serves now."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    return process.stdout.readline().strip()


@pytest.mark.req("T1", "R1")
@pytest.mark.parametrize("missed", ["kept", "trimmed", "more than the stream keeps"])
def test_a_router_that_missed_changes_ends_at_the_newest(
    redis_url: str, name: str, sleeper: subprocess.Popen[str], missed: str
) -> None:
    """A process that stood still finds the last of them, whatever became of the others."""
    store = RedisRoutingStore(redis_url)
    store.write(wide(name, 1))
    assert eventually(lambda: asked(sleeper) == "1 candidate")
    assert eventually(lambda: len(store.acknowledgements(name)) == 1)
    os.kill(sleeper.pid, signal.SIGSTOP)
    count = CHANGES_KEPT + 200 if missed.startswith("more") else 20
    for epoch in range(2, count):
        store.write(wide(name, epoch))
    halt = store.halt(name, halt_id="h", actor="ada", reason="drift", at=1.0)
    store.write(Snapshot(name, halt.epoch + 1, "emergency_rollback", halt="h"))
    if missed == "trimmed":
        with redis.Redis.from_url(redis_url) as client:
            client.xtrim(f"switchover:{{{name}}}:changes", maxlen=0, approximate=False)
    os.kill(sleeper.pid, signal.SIGCONT)
    spread = store.wait_acknowledged(name, halt.epoch + 1, 30)
    assert (spread.routers, spread.complete) == (1, True)
    assert asked(sleeper) == f"{halt.epoch + 1} legacy"


@pytest.mark.req("T1")
def test_a_follower_behind_a_long_stream_gets_one_resync(redis_url: str, name: str) -> None:
    """The store trims by itself: the follower is told once, and goes on from the newest."""
    store, follower = RedisRoutingStore(redis_url), Changes(redis_url, name)
    store.write(wide(name, 1))
    last = follower.after().last
    for epoch in range(2, CHANGES_KEPT + 300):
        store.write(wide(name, epoch))
    batch = follower.after(last)
    assert batch.resync == Resync(epoch, wide(name, epoch).to_json())
    store.write(wide(name, epoch + 1))
    assert [change.epoch for change in follower.after(batch.last).changes] == [epoch + 1]


@pytest.mark.req("INV7", "T1")
def test_after_a_restart_with_data_nothing_was_missed(tmp_path: Path, name: str) -> None:
    """Redis is killed and comes back: the follower is replayed what it had not read, and the
    router takes the next change."""
    server = Valkey(tmp_path).start()
    try:
        store, follower = RedisRoutingStore(server.url), Changes(server.url, name)
        with switchover.Router(name, server.url) as router:
            for epoch in range(1, 6):
                store.write(wide(name, epoch))
            assert eventually(lambda: router.epoch == 5)
            last = follower.after(limit=2).last
            server.process.kill()
            assert router.route("a").system == "candidate"
            server.start()
            store.write(wide(name, 6))
            assert eventually(lambda: router.epoch == 6)
            batch = follower.after(last)
            assert batch.resync is None
            assert [change.epoch for change in batch.changes] == [3, 4, 5, 6]
    finally:
        server.stop()


@pytest.mark.req("INV2", "INV3")
def test_after_a_restart_without_data_the_ledger_projects_it_again(
    tmp_path: Path, sqlite_url: str
) -> None:
    """Routers keep what they hold; a follower gets one resync, which says that nothing is
    there, and then the projection; both are at the ledger's epoch in the end."""
    upgrade(sqlite_url)
    with Valkey() as server:
        slug = f"g-{uuid4().hex[:8]}"
        with closing(Site(tmp_path, slug, sqlite_url, server.url, stages=_STAGES)) as site:
            context = site.context()
            walk(site, context, stage=1)
            follower = Changes(server.url, slug)
            replayed = follower.after()
            assert replayed.resync is None
            epoch = replayed.changes[-1].epoch
            with switchover.Router(slug, server.url) as router:
                assert eventually(lambda: router.epoch == epoch)
                served = [router.route(f"k{n}").system for n in range(100)]
                server.process.kill()
                server.start()
                lost = follower.after(replayed.last)
                assert (lost.changes, lost.resync) == ((), Resync(0, None))
                assert [router.route(f"k{n}").system for n in range(100)] == served
                assert reconcile(context, slug) == [f"wrote routing epoch {epoch} again"]
                again = follower.after(lost.last)
                assert [change.document for change in again.changes] == [
                    replayed.changes[-1].document
                ]
                assert follower.after(BEGINNING).changes == again.changes
                halt = context.routing.halt(slug, halt_id="h", actor="bo", reason="x", at=1.0)
                assert eventually(lambda: router.epoch == halt.epoch)
                assert {router.route(f"k{n}").system for n in range(100)} == {"legacy"}
