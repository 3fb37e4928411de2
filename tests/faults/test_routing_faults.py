"""Redis killed, frozen, flushed and overwritten under load: a router answers every caller."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import redis

from switchover.connection import redis_key
from switchover.errors import DependencyUnavailable, StaleClaim
from switchover.machine.snapshot import Snapshot
from switchover.routing.claims import Claims
from switchover.routing.store import RedisRoutingStore
from switchover.testing.embedded import Valkey
from tests.eventually import eventually
from tests.faults.callers import Account, Fleet

FLAGS = {"new": {"name": "new", "follows_split": True}}


class Site:
    """A server of its own, a migration on it, and processes that ask for it without pause."""

    def __init__(self, directory: Path) -> None:
        self.server = Valkey(directory).start()
        self.name = f"mood-{uuid4().hex}"
        self.first = Snapshot(self.name, 5, "gradual", 5_000, salt="s", flags=FLAGS)
        self.second = Snapshot(self.name, 6, "parallel", salt="s", flags=FLAGS)
        self.store = RedisRoutingStore(self.server.url)
        self.store.write(self.first)
        self.fleet = Fleet(self.name, self.server.url, [self.first, self.second])
        assert self.fleet.all_see("split:in", "split:out")

    def restart(self) -> None:
        self.server.process.kill()
        assert self.fleet.all_see("stale")
        self.server.start()

    def lose_data(self) -> None:
        self.server.process.kill()
        for file in (self.server.directory / "appendonlydir").iterdir():
            file.unlink()
        self.server.start()

    def freeze(self) -> None:
        os.kill(self.server.process.pid, signal.SIGSTOP)
        assert self.fleet.all_see("stale")
        os.kill(self.server.process.pid, signal.SIGCONT)

    def flush(self) -> None:
        with redis.Redis.from_url(self.server.url) as client:
            client.flushall()

    def overwrite(self, document: str | bytes) -> None:
        """Put a document past the store's script, and wake the routers."""
        with redis.Redis.from_url(self.server.url) as client:
            client.hset(redis_key(self.name, "routing"), "document", document)
            client.xadd(redis_key(self.name, "changes"), {"document": document})

    def close(self) -> list[Account]:
        with self.fleet:
            accounts = self.fleet.report()
        self.server.stop()
        return accounts


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Whatever the fault was: nobody got an exception, or an answer that was never right."""
    site = Site(tmp_path / "valkey")
    yield site
    for account in site.close():
        assert account.wrong == []
        assert account.calls > 100


@pytest.mark.req("INV7")
@pytest.mark.parametrize("fault", [Site.restart, Site.freeze])
def test_routers_follow_again_once_redis_is_back(site: Site, fault: Callable[[Site], None]) -> None:
    """Killed or frozen for longer than ``max_staleness``: legacy, then the split, untouched."""
    fault(site)
    assert site.fleet.all_see("split:in", "split:out")
    for account in site.fleet.report():
        assert account.healthy
        assert account.counters["stale"] >= 1
        assert {"split:in", "split:out", "stale"} <= account.reasons


@pytest.mark.req("INV7")
@pytest.mark.parametrize("fault", [Site.lose_data, Site.flush])
def test_routers_hold_the_document_that_redis_lost_until_it_is_written_again(
    site: Site, fault: Callable[[Site], None]
) -> None:
    """For ``max_staleness`` at most, then legacy; the ledger's next projection brings it back."""
    fault(site)
    assert site.fleet.all_count("missing")
    assert site.fleet.all_see("stale")
    site.store.write(site.first)
    assert site.fleet.all_see("split:in", "split:out")
    site.store.write(site.second)
    assert site.fleet.all_see("mode:parallel")


def _other(site: Site, **fields: Any) -> str:
    return json.dumps({**asdict(site.first), "epoch": 7, **fields})


BAD: dict[str, tuple[str, Callable[[Site], str | bytes]]] = {
    "cut off": ("malformed", lambda site: site.first.to_json()[:40]),
    "not text": ("malformed", lambda site: b"\xff\x00\xfe"),
    "another migration's": ("malformed", lambda site: _other(site, migration="other")),
    "a split above 100 %": ("malformed", lambda site: _other(site, split=10_001)),
    "weights below 100 %": (
        "malformed",
        lambda site: _other(site, flags={"new": {"name": "new", "variants": {"a": 4_000}}}),
    ),
    "wrong types": ("malformed", lambda site: _other(site, epoch="7", salt=None)),
    "an older epoch": ("older", lambda site: _other(site, epoch=4, mode="candidate_only")),
}


@pytest.mark.req("INV3")
@pytest.mark.parametrize("bad", BAD)
def test_bad_document_is_refused_and_the_last_good_one_kept(site: Site, bad: str) -> None:
    """Counted in every process; in force until ``max_staleness``, and never the bad one."""
    counter, document = BAD[bad]
    site.overwrite(document(site))
    assert site.fleet.all_count(counter)
    assert site.fleet.all_see("stale")
    site.overwrite(site.second.to_json())
    assert site.fleet.all_see("mode:parallel")


@pytest.mark.req("INV7")
@pytest.mark.parametrize("key", ["routing", "changes"])
def test_keys_of_a_wrong_type_are_survived(site: Site, key: str) -> None:
    """Somebody else wrote to our key: legacy serves until it is as it should be."""
    with redis.Redis.from_url(site.server.url) as client:
        client.set(redis_key(site.name, key), "surprise")
        assert site.fleet.all_see("stale")
        client.delete(redis_key(site.name, key))
    site.store.write(site.second)
    assert site.fleet.all_see("mode:parallel")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Valkey]:
    with Valkey(tmp_path / "valkey") as server:
        yield server


@pytest.mark.req("INV9")
@pytest.mark.parametrize("fault", ["killed", "frozen", "wrong type"])
def test_claims_name_redis_and_nothing_else_is_raised(server: Valkey, fault: str) -> None:
    """Every method raises ``DependencyUnavailable``; none answers on a guess."""
    claims = Claims("agents", server.url)
    claim = claims.claim("a", "me", "legacy")
    assert claim is not None
    if fault == "killed":
        server.process.kill()
    elif fault == "frozen":
        os.kill(server.process.pid, signal.SIGSTOP)
    else:
        with redis.Redis.from_url(server.url) as client:
            for name in client.scan_iter(redis_key("agents", "*")):
                client.delete(name)
                client.set(name, "surprise")
    steps: list[Callable[[], object]] = [
        lambda: claims.claim("a", "me", "legacy"),
        lambda: claims.renew(claim),
        lambda: claims.complete(claim, 1),
        lambda: claims.release(claim),
        lambda: claims.state("a"),
    ]
    with ThreadPoolExecutor(len(steps)) as callers:
        asked = [callers.submit(step) for step in steps]
    raised = [answer.exception() for answer in asked]
    assert [type(error) for error in raised] == [DependencyUnavailable] * len(steps)
    if fault == "frozen":
        os.kill(server.process.pid, signal.SIGCONT)


@pytest.mark.req("T3")
def test_claims_under_load_outlive_a_kill_and_a_flush_of_redis(server: Valkey) -> None:
    """Callers see ``DependencyUnavailable`` or ``StaleClaim`` and go on; tokens never repeat."""
    claims, done = Claims("agents", server.url, lease=1.0), threading.Event()
    tokens: list[int] = []
    raised: list[BaseException] = []

    def work(owner: str) -> None:
        while not done.is_set():
            try:
                claim = claims.claim(uuid4().hex, owner, "candidate")
                assert claim is not None
                tokens.append(claim.token)
                claims.complete(claim, {"by": owner})
            except BaseException as error:
                raised.append(error)

    with ThreadPoolExecutor(4) as workers:
        running = [workers.submit(work, f"w{n}") for n in range(4)]
        assert eventually(lambda: len(tokens) > 50)
        server.process.kill()
        assert eventually(lambda: len(raised) > 4)
        server.start()
        with redis.Redis.from_url(server.url) as client:
            for _ in range(20):
                before = len(tokens)
                client.flushall()
                assert eventually(lambda seen=before: len(tokens) > seen)
        done.set()
    assert all(future.exception() is None for future in running)
    assert {type(error) for error in raised} <= {DependencyUnavailable, StaleClaim}
    assert len(set(tokens)) == len(tokens)
