from __future__ import annotations

import threading
from collections.abc import Iterator
from uuid import uuid4

import pytest
import redis

from switchover.errors import InputError, StaleEpoch
from switchover.machine.propagation import Halt, Propagation
from switchover.machine.snapshot import MODES, Snapshot
from switchover.ports import RoutingStore
from switchover.routing.store import RedisRoutingStore
from switchover.testing.routing import InMemoryRoutingStore

FORWARD = [mode for mode in MODES if mode not in ("legacy_only", "emergency_rollback")]

#: Names and texts that could be taken for parts of the document itself.
RULES = {"epoch": 0, "redact": ['","epoch":0', 'ä"'], "fields": []}


@pytest.fixture(params=["memory", "redis", "client"])
def store(request: pytest.FixtureRequest) -> Iterator[RoutingStore]:
    """The fake, the real one by address, and the real one over a ready client that decodes."""
    if request.param == "memory":
        yield InMemoryRoutingStore()
        return
    url = request.getfixturevalue("redis_url")
    with redis.Redis.from_url(url, decode_responses=True) as client:
        yield RedisRoutingStore(url if request.param == "redis" else client)


@pytest.fixture
def name() -> str:
    return f"mood-{uuid4().hex}"


def pull(store: RoutingStore, name: str, halt_id: str = "h1") -> Halt:
    return store.halt(name, halt_id=halt_id, actor="ada", reason="drift", at=12.5)


@pytest.mark.req("T1")
def test_nothing_is_stored_at_first(store: RoutingStore, name: str) -> None:
    """Without a write there is no document, no halt and no router."""
    assert store.read(name) is None
    assert store.halted(name) is None
    assert store.acknowledgements(name) == ()


@pytest.mark.req("T1")
def test_written_document_is_read_back_whole(store: RoutingStore, name: str) -> None:
    """Every field survives, comparison rules included."""
    rules = {"fields": [{"path": "a.b", "absolute": 0.1}], "redact": []}
    snapshot = Snapshot(name, 3, "gradual", 1_234, 50, "sält", "integer", rules, "")
    store.write(snapshot)
    assert store.read(name) == snapshot


@pytest.mark.req("INV3")
@pytest.mark.parametrize("epoch", [0, 4, 5])
def test_epoch_that_is_not_newer_is_refused(store: RoutingStore, name: str, epoch: int) -> None:
    """Older and equal are both too old for a different document; the stored one stays."""
    stored = Snapshot(name, 5, "gradual", 1_000)
    store.write(stored)
    with pytest.raises(StaleEpoch) as refusal:
        store.write(Snapshot(name, epoch, "gradual", 9_000))
    assert (refusal.value.written, refusal.value.stored) == (epoch, 5)
    assert store.read(name) == stored


@pytest.mark.req("INV2")
def test_repeating_a_write_changes_nothing(store: RoutingStore, name: str) -> None:
    """A writer that crashed after writing may write the same again."""
    snapshot = Snapshot(name, 5, "gradual", 1_000)
    store.write(snapshot)
    store.write(snapshot)
    assert store.read(name) == snapshot


@pytest.mark.req("INV3")
def test_migrations_do_not_touch_each_other(store: RoutingStore, name: str) -> None:
    """Epochs and halts are per migration."""
    store.write(Snapshot(name, 9))
    pull(store, name)
    store.write(Snapshot(f"{name}-b", 1, "gradual", 100))
    assert store.halted(f"{name}-b") is None


@pytest.mark.req("INV3")
def test_newest_epoch_wins_among_concurrent_writers(store: RoutingStore, name: str) -> None:
    """Eight writers, every epoch tried twice: at the end the newest stands, and every accepted
    write was newer than the one before."""
    accepted: list[int] = []
    start = threading.Barrier(8)

    def write(writer: int) -> None:
        start.wait()
        for epoch in range(writer // 2, 200, 4):
            try:
                store.write(Snapshot(name, epoch, "gradual", epoch, writer))
            except StaleEpoch:
                continue
            accepted.append(epoch)

    writers = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    stored = store.read(name)
    assert stored is not None
    assert stored.epoch == max(accepted) == 199
    assert len(accepted) == len(set(accepted))


@pytest.mark.req("INV5")
def test_halt_sends_everything_to_legacy_with_a_newer_epoch(store: RoutingStore, name: str) -> None:
    """Split and shadow are nothing, the salt stays, and the document names the halt."""
    store.write(Snapshot(name, 5, "gradual", 2_500, 10_000, "salt", "integer", RULES))
    halt = pull(store, name)
    assert halt == Halt("h1", "ada", "drift", 12.5, 6)
    assert store.halted(name) == halt
    assert store.read(name) == Snapshot(
        name, 6, "emergency_rollback", 0, 0, "salt", "integer", RULES, "h1"
    )


@pytest.mark.req("INV7")
def test_halt_works_before_anything_was_written(store: RoutingStore, name: str) -> None:
    """An empty store, for instance after it lost its data, can be halted."""
    assert pull(store, name).epoch == 1
    document = store.read(name)
    assert document is not None
    assert (document.mode, document.halt) == ("emergency_rollback", "h1")


@pytest.mark.req("INV4")
def test_same_halt_twice_is_one_halt(store: RoutingStore, name: str) -> None:
    """Repeating it gives what the first one made and makes no newer epoch."""
    store.write(Snapshot(name, 5, "gradual", 2_500))
    assert pull(store, name) == pull(store, name)
    document = store.read(name)
    assert document is not None
    assert document.epoch == 6


@pytest.mark.req("INV4")
def test_late_repeat_of_an_answered_halt_does_not_roll_back_again(
    store: RoutingStore, name: str
) -> None:
    """A retried command whose halt is over gives what it did then; traffic stays where it is."""
    first = pull(store, name)
    again = Snapshot(name, 2, "gradual", 100, halt="h1")
    store.write(again)
    assert pull(store, name) == first
    assert store.read(name) == again
    assert store.halted(name) is None


@pytest.mark.req("INV5")
def test_first_of_two_halts_stands(store: RoutingStore, name: str) -> None:
    """While one is in force another changes nothing, and is told which one stands."""
    first = pull(store, name)
    assert pull(store, name, "h2") == first
    assert store.halted(name) == first


@pytest.mark.req("INV5")
@pytest.mark.parametrize("mode", FORWARD)
@pytest.mark.parametrize("answered", ["", "h0"])
def test_halt_keeps_the_candidate_out_until_it_is_answered(
    store: RoutingStore, name: str, mode: str, answered: str
) -> None:
    """A newer epoch is not enough: a document that calls the candidate has to name the halt."""
    pull(store, name)
    with pytest.raises(StaleEpoch, match="halt h1 is in force"):
        store.write(Snapshot(name, 50, mode, 100, halt=answered))
    document = store.read(name)
    assert document is not None
    assert document.mode == "emergency_rollback"


@pytest.mark.req("INV5")
@pytest.mark.parametrize("mode", ["legacy_only", *FORWARD])
def test_answered_halt_is_over(store: RoutingStore, name: str, mode: str) -> None:
    """The first document that names it and leaves the rollback ends it; the next halt is new."""
    pull(store, name)
    store.write(Snapshot(name, 2, mode, 100, halt="h1"))
    assert store.halted(name) is None
    store.write(Snapshot(name, 3, "gradual", 200, halt="h1"))
    assert pull(store, name, "h2").epoch == 4


@pytest.mark.req("INV2")
def test_ledger_may_confirm_the_rollback_while_the_halt_stands(
    store: RoutingStore, name: str
) -> None:
    """Reconciling writes the rollback under the ledger's epoch; that alone ends no halt."""
    halt = pull(store, name)
    store.write(Snapshot(name, 7, "emergency_rollback", halt="h1"))
    assert store.halted(name) == halt
    with pytest.raises(StaleEpoch):
        store.write(Snapshot(name, 8, "gradual", 100))


@pytest.mark.req("INV5")
def test_rollback_wins_over_concurrent_promote(store: RoutingStore, name: str) -> None:
    """Writers promote as fast as they can while a halt comes: afterwards legacy serves all."""
    store.write(Snapshot(name, 1, "gradual", 100))
    halted = threading.Event()

    def promote() -> None:
        while not halted.is_set():
            stored = store.read(name)
            assert stored is not None
            try:
                store.write(Snapshot(name, stored.epoch + 1, "gradual", 5_000))
            except StaleEpoch:
                continue

    writers = [threading.Thread(target=promote, daemon=True) for _ in range(4)]
    for writer in writers:
        writer.start()
    halt = pull(store, name)
    halted.set()
    for writer in writers:
        writer.join()
    document = store.read(name)
    assert document is not None
    assert (document.mode, document.epoch) == ("emergency_rollback", halt.epoch)


@pytest.mark.req("INV7")
def test_unreadable_document_can_still_be_halted(redis_url: str, name: str) -> None:
    """Whatever somebody wrote over the document: it is said, and a rollback replaces it."""
    store = RedisRoutingStore(redis_url)
    store.write(Snapshot(name, 5, "gradual", 100))
    with redis.Redis.from_url(redis_url) as client:
        client.hset(f"switchover:{{{name}}}:routing", "document", "{broken")
    with pytest.raises(InputError, match="unreadable"):
        store.read(name)
    assert pull(store, name).epoch == 6
    assert store.read(name) == Snapshot(name, 6, "emergency_rollback", halt="h1")


@pytest.mark.req("R8")
def test_a_halt_that_can_not_be_read_is_named_with_what_to_do(redis_url: str, name: str) -> None:
    """Whoever asks for it, and whoever halts again, is told; routing stays on legacy meanwhile."""
    store = RedisRoutingStore(redis_url)
    store.write(Snapshot(name, 5, "gradual", 100))
    pull(store, name)
    with redis.Redis.from_url(redis_url) as client:
        client.hset(f"switchover:{{{name}}}:routing", "halt_document", "{broken")
    with pytest.raises(InputError, match="remove the fields halt and halt_document"):
        store.halted(name)
    with pytest.raises(InputError, match="unreadable"):
        pull(store, name, "h2")
    stored = store.read(name)
    assert stored is not None
    assert not stored.serves_candidate


@pytest.mark.req("R1")
def test_no_router_means_nothing_to_wait_for(store: RoutingStore, name: str) -> None:
    """Without live routers an epoch has spread as far as it can."""
    store.write(Snapshot(name, 1))
    assert store.wait_acknowledged(name, 1, 0.0) == Propagation(0, True, 0.0)


@pytest.mark.req("INV5")
def test_a_halt_turns_the_traffic_where_the_stream_is_broken(redis_url: str, name: str) -> None:
    """Whatever somebody put in the stream's place: the document is what routers go by."""
    store = RedisRoutingStore(redis_url)
    store.write(Snapshot(name, 5, "candidate_only", 10_000))
    with redis.Redis.from_url(redis_url) as client:
        client.set(f"switchover:{{{name}}}:changes", "no stream")
    assert pull(store, name).epoch == 6
    stored = store.read(name)
    assert stored is not None
    assert stored.mode == "emergency_rollback"


@pytest.mark.req("P10", "INV3")
def test_many_are_read_at_once_as_each_by_itself(store: RoutingStore, name: str) -> None:
    """Documents, halts, and the lack of both; in one look."""
    names = [f"{name}-{part}" for part in ("none", "served", "halted")]
    store.write(Snapshot(names[1], 3, "gradual", 1_234))
    store.write(Snapshot(names[2], 3, "gradual", 1_234))
    pull(store, names[2])
    found = store.routed(names)
    assert {each: (seen.snapshot, seen.halt) for each, seen in found.items()} == {
        each: (store.read(each), store.halted(each)) for each in names
    }
    assert store.routed([]) == {}


@pytest.mark.req("P10")
def test_an_unreadable_document_is_left_out_of_many(redis_url: str, name: str) -> None:
    """The others are read; whoever asks for that one alone is told what is wrong."""
    store = RedisRoutingStore(redis_url)
    store.write(Snapshot(f"{name}-good", 3))
    with redis.Redis.from_url(redis_url) as client:
        client.hset(f"switchover:{{{name}}}:routing", mapping={"epoch": 1, "document": "{"})
    assert list(store.routed([name, f"{name}-good"])) == [f"{name}-good"]
    with pytest.raises(InputError, match="unreadable"):
        store.read(name)
