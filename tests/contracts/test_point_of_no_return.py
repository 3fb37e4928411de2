"""Both routing stores refuse a halt past the point of no return, atomically."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from uuid import uuid4

import pytest
import redis

from switchover.errors import PointOfNoReturn, StaleEpoch
from switchover.machine.propagation import Halt
from switchover.machine.snapshot import Snapshot
from switchover.ports import RoutingStore
from switchover.routing.store import RedisRoutingStore
from switchover.testing.routing import InMemoryRoutingStore


@pytest.fixture(params=["memory", "redis"])
def store(request: pytest.FixtureRequest) -> Iterator[RoutingStore]:
    """The fake and the real one."""
    if request.param == "memory":
        yield InMemoryRoutingStore()
        return
    with redis.Redis.from_url(request.getfixturevalue("redis_url")) as client:
        yield RedisRoutingStore(client)


@pytest.fixture
def name() -> str:
    return f"mood-{uuid4().hex}"


def pull(store: RoutingStore, name: str, halt_id: str = "h1", insist: bool = False) -> Halt:
    return store.halt(name, halt_id=halt_id, actor="ada", reason="r", at=1.0, insist=insist)


@pytest.mark.req("T1", "INV5")
def test_a_halt_past_the_point_of_no_return_needs_insisting(store: RoutingStore, name: str) -> None:
    """Refused, it changes nothing; insisted on, it is carried out, and the mark is gone."""
    document = Snapshot(name, 4, "gradual", 5000, flags={"no_return": {}}, no_return=True)
    store.write(document)
    with pytest.raises(PointOfNoReturn, match="--past-the-point-of-no-return"):
        pull(store, name)
    assert store.read(name) == document
    assert store.halted(name) is None
    assert pull(store, name, insist=True).epoch == 5
    after = store.read(name)
    assert after is not None
    assert (after.mode, after.split, after.no_return) == ("emergency_rollback", 0, False)


@pytest.mark.req("INV4")
def test_a_halt_that_stands_is_given_again_without_insisting(
    store: RoutingStore, name: str
) -> None:
    """Asking twice is one rollback, whoever asks the second time."""
    store.write(Snapshot(name, 4, "gradual", 5000, no_return=True))
    first = pull(store, name, insist=True)
    assert pull(store, name, "h2") == first


@pytest.mark.req("INV5")
@pytest.mark.parametrize("round_", range(10))
def test_a_halt_beside_the_step_past_it_comes_before_or_is_refused(
    store: RoutingStore, name: str, round_: int
) -> None:
    """Never is a document that is past the point of no return turned back without insisting."""
    store.write(Snapshot(name, 4, "gradual", 1000))
    refused: list[bool] = []

    def halt() -> None:
        try:
            pull(store, name)
        except PointOfNoReturn:
            refused.append(True)

    thread = threading.Thread(target=halt)
    thread.start()
    try:
        store.write(Snapshot(name, 5 + round_, "gradual", 5000, no_return=True))
        written = True
    except StaleEpoch:
        written = False
    thread.join()
    stored = store.read(name)
    assert stored is not None
    assert written == bool(refused)
    assert stored.no_return == written
