from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import redis

from switchover.errors import DependencyUnavailable
from switchover.machine.snapshot import Snapshot
from switchover.routing.bucket import Key
from switchover.routing.router import Router
from switchover.routing.snapshot import Decision
from switchover.routing.store import RedisRoutingStore
from switchover.testing.embedded import Valkey
from tests.eventually import eventually

#: Nothing listens there.
NOWHERE = "redis://127.0.0.1:1/0"

KEYS: tuple[Key, ...] = ("a", "", "ä", "\ud800", 0, -7, 10**5000, b"a", b"\xff", True)


@pytest.fixture
def name() -> str:
    return f"mood-{uuid4().hex}"


@pytest.fixture
def store(redis_url: str) -> RedisRoutingStore:
    return RedisRoutingStore(redis_url)


@pytest.fixture
def router(redis_url: str, name: str) -> Iterator[Router]:
    with Router(name, redis_url) as router:
        assert router.wait_ready(20)
        yield router


def overwrite(client: redis.Redis, name: str, document: str) -> None:
    """Put a document past the store's script, and wake the routers."""
    client.hset(f"switchover:{{{name}}}:routing", "document", document)
    client.xadd(f"switchover:{{{name}}}:changes", {"document": document})


def everybody(name: str, epoch: int, **fields: object) -> Snapshot:
    return Snapshot(name, epoch, "gradual", 10_000, **fields)  # type: ignore[arg-type]


@pytest.mark.req("T1")
def test_every_change_reaches_a_router_and_is_acknowledged(
    store: RedisRoutingStore, router: Router, name: str
) -> None:
    """Before the first document legacy serves; each written epoch is served and said so."""
    assert router.route("a") == Decision("legacy", "cold_start", 0, False)
    assert (router.mode, router.epoch, router.healthy) == ("legacy_only", 0, True)
    for epoch, mode in enumerate(("gradual", "parallel", "candidate_only", "legacy_only"), 1):
        store.write(Snapshot(name, epoch, mode, 10_000, 10_000, agreement={"default": "exact"}))
        spread = store.wait_acknowledged(name, epoch, 20)
        assert (spread.routers, spread.complete) == (1, True)
        assert (router.mode, router.epoch, router.route("a").epoch) == (mode, epoch, epoch)
    assert router.agreement == {"default": "exact"}
    (said,) = store.acknowledgements(name)
    assert (said.router, said.epoch, said.pid) == (router.id, 4, os.getpid())


FLEET = """
import sys, time
from switchover import Router
with Router(sys.argv[1], sys.argv[2]) as router:
    router.wait_ready(20)
    while router.route("a").system != "candidate":
        time.sleep(0.001)
    print("serving", flush=True)
    while router.route("a").reason != "emergency_rollback":
        time.sleep(0.001)
    print(router.route("a").system, router.epoch, flush=True)
    sys.stdin.read()
"""


@pytest.mark.req("R1")
def test_rollback_reaches_every_router_process_and_each_says_so(
    store: RedisRoutingStore, redis_url: str, name: str
) -> None:
    """Three processes serve by the candidate; a halt turns all to legacy, and the store knows
    when the last of them did."""
    store.write(everybody(name, 1))
    fleet = [
        subprocess.Popen(
            [sys.executable, "-c", FLEET, name, redis_url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        for _ in range(3)
    ]
    try:
        for process in fleet:
            assert process.stdout is not None
            assert process.stdout.readline() == "serving\n"
        begin = time.time()
        halt = store.halt(name, halt_id="h", actor="ada", reason="drift", at=begin)
        spread = store.wait_acknowledged(name, halt.epoch, 30)
        assert (spread.routers, spread.complete, spread.waiting) == (3, True, ())
        assert begin <= spread.last_at <= time.time()
        assert {said.pid for said in store.acknowledgements(name)} == {p.pid for p in fleet}
        for process in fleet:
            assert process.stdout is not None
            assert process.stdout.readline() == f"legacy {halt.epoch}\n"
    finally:
        for process in fleet:
            process.communicate()
    assert [process.returncode for process in fleet] == [0, 0, 0]
    assert store.wait_acknowledged(name, halt.epoch, 0).routers == 0


@pytest.mark.req("INV7")
def test_router_turns_to_legacy_without_redis_and_returns_with_it(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Redis dies: routing never fails, keeps its document for ``max_staleness``, then legacy
    serves all, with a warning; when Redis is back so is the split."""
    server = Valkey(tmp_path).start()
    try:
        RedisRoutingStore(server.url).write(everybody(name, 1))
        with Router(name, server.url, max_staleness=1.0) as router:
            assert eventually(lambda: router.route("a").system == "candidate")
            answers: list[Decision] = []
            failed: list[BaseException] = []
            done = threading.Event()

            def ask() -> None:
                while not done.is_set():
                    try:
                        answers.extend(router.route(key) for key in KEYS)
                    except BaseException as error:
                        failed.append(error)
                        raise
                    time.sleep(0.001)

            caller = threading.Thread(target=ask, daemon=True)
            caller.start()
            with caplog.at_level(logging.WARNING, "switchover"):
                server.stop()
                assert eventually(lambda: router.route("a").reason == "stale")
                assert (router.healthy, router.mode, router.epoch) == (False, "legacy_only", 1)
                server.start()
                assert eventually(lambda: router.route("a").reason == "split:in")
            assert router.healthy
            done.set()
            caller.join()
        assert not failed
        assert {answer.reason for answer in answers} == {"split:in", "stale"}
        assert {answer.system for answer in answers if answer.reason == "stale"} == {"legacy"}
        assert any("everything goes to legacy" in line for line in caplog.messages)
        assert router.counters["stale"] >= 1
    finally:
        server.stop()


@pytest.mark.req("INV7")
def test_router_that_never_reached_redis_serves_legacy(name: str) -> None:
    """Starting does not wait and does not fail; every kind of key has an answer."""
    with Router(name, NOWHERE, max_staleness=0.2) as router:
        assert not router.wait_ready(0.05)
        assert {router.route(key).system for key in KEYS} == {"legacy"}
        assert eventually(lambda: router.route("a").reason == "stale")
        assert not router.healthy


@pytest.mark.req("INV3")
def test_router_refuses_older_and_malformed_documents(
    redis_url: str, store: RedisRoutingStore, name: str
) -> None:
    """Whatever is written past the store's script: the last good document stays, and is dropped
    for legacy only when none was confirmed for ``max_staleness``."""
    store.write(everybody(name, 5))
    with (
        redis.Redis.from_url(redis_url) as client,
        Router(name, redis_url, max_staleness=2.0) as router,
    ):
        assert eventually(lambda: router.epoch == 5)
        bad = {
            "malformed": ["{", '{"migration":1}', Snapshot("other", 9).to_json()],
            "older": [Snapshot(name, 4).to_json(), Snapshot(name, 5, "parallel").to_json()],
        }
        for counter, documents in bad.items():
            for count, document in enumerate(documents, 1):
                overwrite(client, name, document)
                assert eventually(lambda c=counter, n=count: router.counters[c] == n)
                assert router.route("a") == Decision("candidate", "split:in", 5, False)
        assert eventually(lambda: router.route("a").reason == "stale")
        store.write(everybody(name, 6))
        assert eventually(lambda: router.route("a").epoch == 6 and router.healthy)


@pytest.mark.req("INV7")
def test_rollback_is_obeyed_after_redis_lost_its_data(
    redis_url: str, store: RedisRoutingStore, name: str
) -> None:
    """The store is empty and counts from nothing, routers hold epoch 40: a halt beats that."""
    with Router(name, redis_url) as router:
        store.write(everybody(name, 40))
        assert store.wait_acknowledged(name, 40, 20).complete
        with redis.Redis.from_url(redis_url) as client:
            client.delete(f"switchover:{{{name}}}:routing", f"switchover:{{{name}}}:changes")
        assert eventually(lambda: router.counters["missing"] == 1)
        assert router.route("a").system == "candidate"
        halt = store.halt(name, halt_id="h", actor="ada", reason="drift", at=1.0)
        assert halt.epoch == 41
        assert store.wait_acknowledged(name, 41, 20).complete
        assert router.route("a") == Decision("legacy", "emergency_rollback", 41, False)


@pytest.mark.req("INV5")
def test_order_to_stop_is_obeyed_even_when_it_is_too_old(
    redis_url: str, store: RedisRoutingStore, name: str
) -> None:
    """An older rollback document does not lower the router's epoch, but legacy serves at once."""
    store.write(everybody(name, 40))
    with Router(name, redis_url) as router, redis.Redis.from_url(redis_url) as client:
        assert eventually(lambda: router.epoch == 40)
        late = Snapshot(name, 3, "emergency_rollback", halt="h").to_json()
        overwrite(client, name, late)
        assert eventually(lambda: router.route("a").system == "legacy")
        assert router.route("a") == Decision("legacy", "emergency_rollback", 40, False)


@pytest.mark.req("R1")
def test_router_that_died_is_named_while_it_may_still_be_serving(
    redis_url: str, store: RedisRoutingStore, name: str
) -> None:
    """A closed router signs off; one that fell silent is neither live nor forgotten."""
    with redis.Redis.from_url(redis_url) as client:
        client.zadd(f"switchover:{{{name}}}:routers", {"dead": time.time() + 60, "long": 1.0})
    with Router(name, redis_url):
        store.write(everybody(name, 1))
        assert eventually(lambda: store.wait_acknowledged(name, 1, 0).routers == 1)
        spread = store.wait_acknowledged(name, 1, 0)
        assert (spread.complete, spread.lost) == (True, ("dead",))
    spread = store.wait_acknowledged(name, 1, 0)
    assert (spread.routers, spread.lost) == (0, ("dead",))


@pytest.mark.req("R1")
def test_waiting_names_the_routers_that_are_behind(
    store: RedisRoutingStore, router: Router, name: str
) -> None:
    """When time is up the answer says who has not taken the epoch."""
    store.write(everybody(name, 1))
    assert store.wait_acknowledged(name, 1, 20).complete
    spread = store.wait_acknowledged(name, 2, 0.02)
    assert (spread.routers, spread.complete, spread.waiting) == (0, False, (router.id,))


@pytest.mark.req("INV8")
def test_forked_child_follows_with_threads_of_its_own(
    store: RedisRoutingStore, router: Router, name: str
) -> None:
    """A server that forks its workers after starting the router gets live routers in all."""
    store.write(everybody(name, 1))
    assert store.wait_acknowledged(name, 1, 20).complete
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        seen = eventually(lambda: router.route("a").epoch == 2)
        os.write(write_end, b"%d %s" % (seen, router.id.encode()))
        eventually(lambda: router.route("a").epoch == 3)
        os._exit(0)
    assert eventually(lambda: len(store.acknowledgements(name)) == 2)
    store.write(everybody(name, 2))
    seen, child_id = os.read(read_end, 100).decode().split()
    assert store.wait_acknowledged(name, 2, 20).routers == 2
    assert seen == "1"
    assert {said.router for said in store.acknowledgements(name)} == {router.id, child_id}
    store.write(everybody(name, 3))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.req("INV7")
def test_closed_router_serves_legacy(redis_url: str, store: RedisRoutingStore, name: str) -> None:
    """Nothing keeps a closed router's document fresh, so it is not relied on."""
    store.write(everybody(name, 1))
    router = Router(name, redis_url).start()
    assert eventually(lambda: router.route("a").system == "candidate")
    router.close()
    assert router.route("a").system == "legacy"
    assert not router.healthy
    assert store.acknowledgements(name) == ()


@pytest.mark.req("INV7")
def test_store_names_redis_when_it_cannot_be_reached(name: str) -> None:
    """Every method says which dependency is missing, without the password in the address."""
    store = RedisRoutingStore("redis://:secret@127.0.0.1:1/0")
    calls: list[Callable[[], object]] = [
        lambda: store.write(Snapshot(name, 1)),
        lambda: store.read(name),
        lambda: store.halt(name, halt_id="h", actor="a", reason="r", at=0.0),
        lambda: store.halted(name),
        lambda: store.acknowledgements(name),
        lambda: store.wait_acknowledged(name, 1, 0),
    ]
    for call in calls:
        with pytest.raises(DependencyUnavailable, match=r"127\.0\.0\.1:1") as error:
            call()
        assert error.value.name == "Redis"
        assert "secret" not in str(error.value)


@pytest.mark.req("R1", "T5")
def test_flags_go_on_with_the_candidate_and_off_with_a_rollback(
    store: RedisRoutingStore, router: Router, name: str
) -> None:
    """A flag is on for the keys that the candidate serves, and for nobody after a halt."""
    keys = [f"key-{number}" for number in range(200)]
    store.write(
        Snapshot(
            name,
            1,
            mode="gradual",
            split=5000,
            salt="s",
            flags={"new-format": {"follows_split": True}},
        )
    )
    assert eventually(lambda: router.epoch == 1)
    served = {key for key in keys if router.route(key).system == "candidate"}
    assert served
    assert served != set(keys)
    assert {key for key in keys if router.flag("new-format", key)} == served
    assert not any(router.flag("another", key) for key in keys)
    store.halt(name, halt_id="h", actor="ada", reason="smoke", at=time.time())
    assert eventually(lambda: router.mode == "emergency_rollback")
    assert not any(router.flag("new-format", key) for key in keys)


@pytest.mark.req("INV7")
def test_a_redis_that_takes_no_writes_confirms_nothing(fresh_redis_url: str, name: str) -> None:
    """A rollback could not be written to it, so legacy takes over; and it comes back."""
    RedisRoutingStore(fresh_redis_url).write(Snapshot(name, 1, mode="candidate_only", split=10_000))
    with (
        redis.Redis.from_url(fresh_redis_url) as client,
        Router(name, fresh_redis_url, max_staleness=3.0) as router,
    ):
        assert eventually(lambda: router.mode == "candidate_only")
        client.config_set("min-replicas-to-write", 1)
        try:
            assert eventually(lambda: router.route("a").reason == "stale")
        finally:
            client.config_set("min-replicas-to-write", 0)
        assert eventually(lambda: router.route("a").system == "candidate")
