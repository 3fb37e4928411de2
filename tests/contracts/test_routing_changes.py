from __future__ import annotations

import time
from collections.abc import Iterator
from uuid import uuid4

import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st

from switchover.errors import DependencyUnavailable, InputError
from switchover.machine.snapshot import Snapshot
from switchover.routing.changes import BEGINNING, Batch, Changes, Resync
from switchover.routing.store import RedisRoutingStore


class Place:
    """One migration in Redis: writes to it, what is taken from it, and a follower."""

    def __init__(self, url: str, client: redis.Redis, follower: Changes | None = None) -> None:
        self.name = follower.migration if follower else f"mood-{uuid4().hex}"
        self.client, self.store = client, RedisRoutingStore(url)
        self.follower = follower or Changes(url, self.name)
        self.epoch = 0
        self.stream = f"switchover:{{{self.name}}}:changes"
        self.hash = f"switchover:{{{self.name}}}:routing"

    def write(self, count: int = 1) -> list[str]:
        """The documents written."""
        written = []
        for _ in range(count):
            self.epoch += 1
            snapshot = Snapshot(self.name, self.epoch, "gradual", self.epoch % 10_000, salt="ä")
            self.store.write(snapshot)
            written.append(snapshot.to_json())
        return written

    def keep(self, newest: int) -> None:
        """Trim the stream to its newest entries."""
        self.client.xtrim(self.stream, maxlen=newest, approximate=False)

    def present(self) -> str | None:
        """The document in force."""
        stored = self.store.read(self.name)
        return stored.to_json() if stored else None


@pytest.fixture(params=["address", "client"])
def place(request: pytest.FixtureRequest, redis_url: str) -> Iterator[Place]:
    """By address, and over a ready client that decodes."""
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        address = redis_url if request.param == "address" else client
        yield Place(redis_url, client, Changes(address, f"mood-{uuid4().hex}"))


def documents(batch: Batch) -> list[str]:
    assert batch.resync is None
    return [change.document for change in batch.changes]


@pytest.mark.req("T1")
def test_nothing_written_is_nothing_missed(place: Place) -> None:
    """An empty Redis has no changes and asks nobody to begin again."""
    assert place.follower.after() == Batch((), None, BEGINNING)


@pytest.mark.req("T1")
def test_every_change_is_replayed_once_and_in_order(place: Place) -> None:
    """From the beginning and from any id on, in portions of any size, halts included."""
    written = place.write(5)
    halt = place.store.halt(place.name, halt_id="h", actor="ada", reason="drift", at=1.0)
    batch = place.follower.after()
    assert documents(batch) == [*written, place.present()]
    assert [change.epoch for change in batch.changes] == [1, 2, 3, 4, 5, halt.epoch]
    assert place.follower.after(batch.last) == Batch((), None, batch.last)
    for number, change in enumerate(batch.changes):
        rest = place.follower.after(change.id, limit=2)
        assert rest.changes == batch.changes[number + 1 : number + 3]


@pytest.mark.req("T1")
def test_an_id_that_was_trimmed_is_answered_by_one_resync(place: Place) -> None:
    """It carries the document in force, and from its id on changes are replayed again."""
    place.write(3)
    last = place.follower.after(limit=1).last
    place.write(4)
    place.keep(3)
    batch = place.follower.after(last)
    assert (batch.changes, batch.resync) == ((), Resync(7, place.present()))
    assert place.follower.after(batch.last) == Batch((), None, batch.last)
    written = place.write(2)
    assert documents(place.follower.after(batch.last)) == written


@pytest.mark.req("T1")
def test_a_new_follower_of_a_trimmed_stream_begins_with_a_resync(place: Place) -> None:
    """What came before the stream's first entry can't be told."""
    place.write(5)
    place.keep(4)
    assert place.follower.after().resync == Resync(5, place.present())


@pytest.mark.req("T1")
def test_whoever_saw_the_newest_missed_nothing_by_trimming(place: Place) -> None:
    """Even when the stream is empty; one who was behind gets a resync."""
    place.write(2)
    first, newest = (change.id for change in place.follower.after().changes)
    place.keep(0)
    assert place.follower.after(newest) == Batch((), None, newest)
    assert place.follower.after(first) == Batch((), Resync(2, place.present()), newest)


@pytest.mark.req("T1")
def test_a_change_deleted_from_the_middle_is_not_passed_over(place: Place) -> None:
    """Only those who had seen it are told the rest without a resync."""
    place.write(5)
    ids = [change.id for change in place.follower.after().changes]
    place.client.xdel(place.stream, ids[2])
    assert place.follower.after(ids[1]).resync == Resync(5, place.present())
    assert [change.id for change in place.follower.after(ids[3]).changes] == ids[4:]


@pytest.mark.req("T1")
def test_lost_data_is_answered_by_a_resync_with_what_is_there(place: Place) -> None:
    """Nothing at first; after that, what is written anew is replayed from its beginning."""
    place.write(3)
    last = place.follower.after().last
    place.client.delete(place.stream, place.hash)
    batch = place.follower.after(last)
    assert batch == Batch((), Resync(0, None), BEGINNING)
    assert place.follower.after(batch.last) == Batch((), None, BEGINNING)
    written = place.write(2)
    assert place.follower.after(last).resync == Resync(5, written[-1])
    assert documents(place.follower.after(batch.last)) == written


@pytest.mark.req("T1")
@pytest.mark.parametrize(
    "unknown", ["", "soon", "5", "-", "+", "1-", f"{2**64}-0", "99999999999999-0"]
)
def test_an_id_that_no_stream_gave_is_answered_by_a_resync(place: Place, unknown: str) -> None:
    """Followers over the network send what they like; nobody is told a part as if it were all."""
    (written,) = place.write()
    assert place.follower.after(unknown).resync == Resync(1, written)


@pytest.mark.req("T1")
def test_an_entry_that_is_no_change_does_not_stop_a_follower(place: Place) -> None:
    """It is passed by a resync, after which the next change is replayed."""
    place.write()
    last = place.follower.after().last
    place.client.xadd(place.stream, {"document": "{"})
    batch = place.follower.after(last)
    assert batch.resync == Resync(1, place.present())
    assert documents(place.follower.after(batch.last)) == []
    assert place.write() == documents(place.follower.after(batch.last))


@pytest.mark.req("INV7")
def test_asking_wrongly_or_in_vain_says_so(redis_url: str) -> None:
    """No portion of nothing; and a Redis that is away is named."""
    with pytest.raises(InputError, match="limit is 0"):
        Changes(redis_url, "mood").after(limit=0)
    with pytest.raises(DependencyUnavailable, match="Redis"):
        Changes("redis://127.0.0.1:1/0", "mood").after()


MOVES = st.one_of(
    st.tuples(st.just("write"), st.integers(1, 4)),
    st.tuples(st.just("keep"), st.integers(0, 5)),
    st.tuples(st.just("lose"), st.just(0)),
    st.tuples(st.just("follow"), st.integers(1, 3)),
)


@pytest.mark.req("T1")
@settings(max_examples=60, deadline=None)
@given(moves=st.lists(MOVES, max_size=30))
def test_a_follower_never_misses_a_change_silently(
    redis_url: str, moves: list[tuple[str, int]]
) -> None:
    """Writes, trimming, loss and reading in any order: between two resyncs the follower has
    seen exactly what was written, and in the end it holds what is in force."""
    with redis.Redis.from_url(redis_url) as client:
        place, last, seen = Place(redis_url, client), BEGINNING, None
        unseen: list[str] = []
        for move, number in [*moves, *[("follow", 3)] * 50]:
            if move == "write":
                unseen += place.write(number)
            elif move == "keep":
                place.keep(number)
            elif move == "lose":
                client.delete(place.stream, place.hash)
                # No Redis is lost and back within the millisecond that an id names.
                time.sleep(0.002)
                # A follower that has seen nothing finds nothing, as on a Redis that is new.
                unseen = unseen if last != BEGINNING else []
            else:
                batch = place.follower.after(last, number)
                if batch.resync is not None:
                    assert batch.resync.document == place.present()
                    seen, unseen = batch.resync.document, []
                else:
                    assert documents(batch) == unseen[: len(batch.changes)]
                    assert batch.changes or not unseen
                    unseen = unseen[len(batch.changes) :]
                    seen = batch.changes[-1].document if batch.changes else seen
                last = batch.last
        assert (seen, unseen) == (place.present(), [])
        client.delete(place.stream, place.hash)
